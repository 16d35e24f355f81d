#ifndef BEDSIDE_SRTP3_OVER_SRTP2_H
#define BEDSIDE_SRTP3_OVER_SRTP2_H

/*
 * The part of libsrtp 3's interface that mediasoup uses, over libsrtp 2.
 *
 * Differences bridged:
 *  - libsrtp 3 has an opaque policy object with setters; libsrtp 2 a struct that the caller fills.
 *  - libsrtp 3 protects from an input into an output buffer with size_t lengths; libsrtp 2 works in
 *    place with int lengths. Copy first, then work in place. mediasoup's decrypt passes the same
 *    buffer twice, so only encrypting copies.
 *  - srtp_stream_remove was srtp_remove_stream. Both take the SSRC in network byte order.
 *  - Two status codes do not exist in libsrtp 2.
 *
 * libsrtp 2's functions have C linkage and other parameter types, so these are C++ overloads.
 */

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

/* libsrtp 2 calls its struct srtp_policy_t; in libsrtp 3 that name is a pointer to the object. */
#define srtp_policy_t srtp2_policy_t
#include <srtp2/srtp.h>
#undef srtp_policy_t

constexpr srtp_err_status_t srtp_err_status_buffer_small = static_cast<srtp_err_status_t>(28);
constexpr srtp_err_status_t srtp_err_status_cryptex_err  = static_cast<srtp_err_status_t>(29);

struct bedside_srtp_policy
{
	srtp2_policy_t native;
	/* Master key, then master salt: the layout that libsrtp 2 reads behind one pointer. */
	uint8_t key[SRTP_MAX_KEY_LEN];
};

using srtp_policy_t = bedside_srtp_policy*;

inline srtp_err_status_t srtp_policy_create(srtp_policy_t* policy)
{
	auto* created = new (std::nothrow) bedside_srtp_policy();

	if (created == nullptr)
	{
		return srtp_err_status_alloc_fail;
	}

	std::memset(created, 0, sizeof(*created));
	*policy = created;

	return srtp_err_status_ok;
}

inline void srtp_policy_destroy(srtp_policy_t policy)
{
	if (policy != nullptr)
	{
		/* A volatile write is not optimised away: key material does not stay on the heap. */
		volatile uint8_t* key = policy->key;

		for (std::size_t i = 0; i < sizeof(policy->key); ++i)
		{
			key[i] = 0;
		}
	}

	delete policy;
}

inline srtp_err_status_t srtp_policy_set_ssrc(srtp_policy_t policy, srtp_ssrc_t ssrc)
{
	policy->native.ssrc = ssrc;

	return srtp_err_status_ok;
}

inline srtp_err_status_t srtp_policy_set_profile(srtp_policy_t policy, srtp_profile_t profile)
{
	const srtp_err_status_t err =
	  srtp_crypto_policy_set_from_profile_for_rtp(&policy->native.rtp, profile);

	if (err != srtp_err_status_ok)
	{
		return err;
	}

	return srtp_crypto_policy_set_from_profile_for_rtcp(&policy->native.rtcp, profile);
}

inline srtp_err_status_t srtp_policy_add_key(
  srtp_policy_t policy,
  const uint8_t* key,
  std::size_t key_len,
  const uint8_t* salt,
  std::size_t salt_len,
  const uint8_t* /*mki*/,
  std::size_t mki_len)
{
	/* mediasoup uses one key without an MKI; anything else is not bridged. */
	if (mki_len != 0 || key_len + salt_len > sizeof(policy->key))
	{
		return srtp_err_status_bad_param;
	}

	std::memcpy(policy->key, key, key_len);
	std::memcpy(policy->key + key_len, salt, salt_len);
	policy->native.key = policy->key;

	return srtp_err_status_ok;
}

inline srtp_err_status_t srtp_policy_set_allow_repeat_tx(srtp_policy_t policy, bool allow)
{
	policy->native.allow_repeat_tx = allow ? 1 : 0;

	return srtp_err_status_ok;
}

inline srtp_err_status_t srtp_policy_set_window_size(srtp_policy_t policy, std::size_t window_size)
{
	policy->native.window_size = static_cast<unsigned long>(window_size);

	return srtp_err_status_ok;
}

inline srtp_err_status_t srtp_create(srtp_t* session, srtp_policy_t policy)
{
	/* libsrtp 2 copies what it needs: the policy may be destroyed after this. */
	return srtp_create(session, static_cast<const srtp2_policy_t*>(&policy->native));
}

inline srtp_err_status_t srtp_stream_remove(srtp_t session, uint32_t ssrc)
{
	return srtp_remove_stream(session, ssrc);
}

namespace bedside_srtp
{
	/* Puts the input into the output buffer, unless they are the same, and runs `inPlace` on it. */
	template<typename InPlace>
	inline srtp_err_status_t Transform(
	  const uint8_t* in,
	  std::size_t in_len,
	  uint8_t* out,
	  std::size_t* out_len,
	  std::size_t growth,
	  InPlace inPlace)
	{
		if (in_len + growth > *out_len)
		{
			return srtp_err_status_buffer_small;
		}

		if (in != out)
		{
			std::memcpy(out, in, in_len);
		}

		int len                     = static_cast<int>(in_len);
		const srtp_err_status_t err = inPlace(out, &len);

		if (err == srtp_err_status_ok)
		{
			*out_len = static_cast<std::size_t>(len);
		}

		return err;
	}
} // namespace bedside_srtp

inline srtp_err_status_t srtp_protect(
  srtp_t ctx,
  const uint8_t* rtp,
  std::size_t rtp_len,
  uint8_t* srtp,
  std::size_t* srtp_len,
  std::size_t /*mki_index*/)
{
	return bedside_srtp::Transform(
	  rtp,
	  rtp_len,
	  srtp,
	  srtp_len,
	  SRTP_MAX_TRAILER_LEN,
	  [ctx](uint8_t* data, int* len) { return srtp_protect(ctx, static_cast<void*>(data), len); });
}

inline srtp_err_status_t srtp_unprotect(
  srtp_t ctx, const uint8_t* srtp, std::size_t srtp_len, uint8_t* rtp, std::size_t* rtp_len)
{
	return bedside_srtp::Transform(
	  srtp,
	  srtp_len,
	  rtp,
	  rtp_len,
	  0,
	  [ctx](uint8_t* data, int* len) { return srtp_unprotect(ctx, static_cast<void*>(data), len); });
}

inline srtp_err_status_t srtp_protect_rtcp(
  srtp_t ctx,
  const uint8_t* rtcp,
  std::size_t rtcp_len,
  uint8_t* srtcp,
  std::size_t* srtcp_len,
  std::size_t /*mki_index*/)
{
	/* SRTCP carries its index, four bytes, after the packet as well. */
	return bedside_srtp::Transform(
	  rtcp,
	  rtcp_len,
	  srtcp,
	  srtcp_len,
	  SRTP_MAX_TRAILER_LEN + 4,
	  [ctx](uint8_t* data, int* len) { return srtp_protect_rtcp(ctx, static_cast<void*>(data), len); });
}

inline srtp_err_status_t srtp_unprotect_rtcp(
  srtp_t ctx, const uint8_t* srtcp, std::size_t srtcp_len, uint8_t* rtcp, std::size_t* rtcp_len)
{
	return bedside_srtp::Transform(
	  srtcp,
	  srtcp_len,
	  rtcp,
	  rtcp_len,
	  0,
	  [ctx](uint8_t* data, int* len) { return srtp_unprotect_rtcp(ctx, static_cast<void*>(data), len); });
}

#endif
