import { script } from '@bedside/service';

/*
 * A call is a hash: visit, role and kind; `over` with the reason once it rings no more; `by` once
 * somebody has accepted; and `p:<person>` for each who was rung, `rung` or `declined`.
 */

/**
 * Says who of a clinic is on call at one gateway; they are forgotten with it. Tells on the channel where
 * a message is given. Twice: the same.
 * KEYS gateways, people. ARGV gateway, people as JSON or '', ttl in ms, ttl of the list of gateways, channel, message or ''.
 */
export const PRESENT = script(`
if ARGV[2] == '' then
  redis.call('DEL', KEYS[2])
  redis.call('SREM', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
  redis.call('SADD', KEYS[1], ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
if ARGV[6] ~= '' then redis.call('PUBLISH', ARGV[5], ARGV[6]) end
`);

/**
 * Rings people, unless somebody has accepted; what an owner who died said about the end counts no more.
 * Twice: the same people are told once more, which they do not notice.
 * KEYS call. ARGV channel, message, ttl in ms, visit, role, kind, people...
 */
export const RING = script(`
if redis.call('HEXISTS', KEYS[1], 'by') == 1 then return 0 end
redis.call('HDEL', KEYS[1], 'over')
redis.call('HSET', KEYS[1], 'visit', ARGV[4], 'role', ARGV[5], 'kind', ARGV[6])
for i = 7, #ARGV do redis.call('HSETNX', KEYS[1], 'p:' .. ARGV[i], 'rung') end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return 1
`);

/**
 * Takes a call for one who was rung, if nobody has it. Answers with how it stands: where it is theirs
 * with visit and role, and with the reason of its end, if it has one. Twice: it is theirs already.
 * KEYS call. ARGV person, channel, message, ttl in ms.
 */
export const ACCEPT = script(`
local call = redis.call('HMGET', KEYS[1], 'by', 'over', 'p:' .. ARGV[1], 'visit', 'role')
if call[1] == ARGV[1] then return {'theirs', call[4], call[5], call[2] or ''} end
if call[1] then return {'taken'} end
if call[2] or call[3] ~= 'rung' then return {'gone', call[2] or ''} end
redis.call('HSET', KEYS[1], 'by', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return {'theirs', call[4], call[5], ''}
`);

/**
 * Somebody does not want the call. Twice: they still do not.
 * KEYS call. ARGV person, channel, message.
 */
export const DECLINE = script(`
if redis.call('HGET', KEYS[1], 'p:' .. ARGV[1]) ~= 'rung' then return end
redis.call('HSET', KEYS[1], 'p:' .. ARGV[1], 'declined')
redis.call('PUBLISH', ARGV[2], ARGV[3])
`);

/**
 * Ends a call; one that somebody accepted as it was given up is theirs. Answers with who has accepted,
 * or ''. Twice: it is over already.
 * KEYS call. ARGV reason, channel, message, ttl in ms.
 */
export const END = script(`
if redis.call('EXISTS', KEYS[1]) == 0 then return '' end
local by = redis.call('HGET', KEYS[1], 'by')
if by and ARGV[1] == 'unanswered' then return by end
redis.call('HSET', KEYS[1], 'over', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return by or ''
`);
