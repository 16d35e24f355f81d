#ifndef BEDSIDE_UNORDERED_DENSE_H
#define BEDSIDE_UNORDERED_DENSE_H

/*
 * ankerl::unordered_dense by the standard library's hash containers. Their guarantees are stronger
 * (references stay valid on insert), so code written for the former is right with these.
 */

#include <functional>
#include <unordered_map>
#include <unordered_set>

namespace ankerl::unordered_dense
{
	template<typename T>
	using hash = std::hash<T>;

	template<typename Key, typename T, typename Hash = std::hash<Key>, typename Equal = std::equal_to<Key>>
	using map = std::unordered_map<Key, T, Hash, Equal>;

	template<typename Key, typename Hash = std::hash<Key>, typename Equal = std::equal_to<Key>>
	using set = std::unordered_set<Key, Hash, Equal>;
} // namespace ankerl::unordered_dense

#endif
