import { script } from '../redis/script.ts';

/** One hash tag: each script touches one slot of Redis Cluster. */
export const MEMBERSHIP_KEYS = [
  'bedside:{members}:members',
  'bedside:{members}:beats',
  'bedside:{members}:view',
] as const;

/**
 * A sign of life, and the view in return: who is there, where that differs from what the caller knows.
 * All times are Redis' own. Who was silent for `ttl` is taken off; but only after everybody had `ttl` to
 * be heard since nobody at all was (Redis was away, or lost its data), until when the view is not whole.
 * Twice: nothing new.
 * KEYS members (name to JSON), beats (name by time), view (revision, last beat, heard since).
 * ARGV name, member as JSON, ttl in ms, revision that the caller knows, for how long the keys live in ms.
 * Gives revision, '1' where the view is whole, then names and members where the revision is another.
 */
export const BEAT = script(`
local time = redis.call('TIME')
local now, ttl = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[3])
local view = redis.call('HMGET', KEYS[3], 'revision', 'last', 'since')
local revision, last, since = view[1], tonumber(view[2]) or 0, tonumber(view[3]) or now
if now < last then
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. now, '+inf')) do
    redis.call('ZADD', KEYS[2], now, name)
  end
end
if now < last or now - last > ttl / 2 then since = now end
local changed = not revision
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  changed = true
end
redis.call('ZADD', KEYS[2], now, ARGV[1])
local whole = now - since >= ttl
if whole then
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. (now - ttl))) do
    redis.call('HDEL', KEYS[1], name)
    redis.call('ZREM', KEYS[2], name)
    changed = true
  end
end
if changed then revision = time[1] .. '.' .. time[2] end
redis.call('HSET', KEYS[3], 'revision', revision, 'last', now, 'since', since)
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[5]) end
local reply = {revision, whole and '1' or '0'}
if revision ~= ARGV[4] then
  for _, each in ipairs(redis.call('HGETALL', KEYS[1])) do table.insert(reply, each) end
end
return reply
`);

/**
 * The last word of a member that goes in order, unless its next boot has spoken. It is taken off as all
 * that are silent. Twice: nothing to change.
 * KEYS as above. ARGV name, member as JSON as it was last said, that it left as JSON.
 */
export const LEAVE = script(`
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
local time = redis.call('TIME')
redis.call('HSET', KEYS[3], 'revision', time[1] .. '.' .. time[2])
return 1
`);
