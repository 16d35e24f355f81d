import { script } from '@bedside/service';

/*
 * The lease of a visit is a hash: gateway and boot of the owner (empty when released), epoch, the number of
 * the last commit under that epoch, epoch and number of the last one before it, and the keepers: names and
 * boots of nodes that may hold what came after the last commit. ioredis may send a script again after a reconnect; each
 * says below why that does no harm.
 */

/**
 * Takes the lease where it is free, was this gateway's, or is still the one that the caller saw to be
 * abandoned. Every acquisition is a new epoch: at least the time, so that a Redis that lost the last
 * increment in a failover doesn't issue it twice. Twice: a higher epoch for the same owner.
 * Gives the epoch, what is stored, and who had the lease until now, with epoch and number of the last commit
 * and the keepers. They stay on record beside the new ones until the next commit.
 * KEYS lease, snapshot, messages. ARGV gateway, boot, now, epoch of the abandoned lease or '', ttl in ms, keepers.
 */
export const ACQUIRE = script(`
local lease = redis.call('HMGET', KEYS[1], 'gateway', 'boot', 'epoch', 'commit', 'last', 'keepers')
local free = not lease[1] or lease[1] == '' or lease[1] == ARGV[1] or lease[3] == ARGV[4]
if not free then return {'owned', lease[1], lease[2], lease[3]} end
local epoch = string.format('%.0f', math.max((tonumber(lease[3]) or 0) + 1, tonumber(ARGV[3])))
local last = lease[5] or ''
if (tonumber(lease[4]) or 0) > 0 then last = lease[3] .. ' ' .. lease[4] end
local owner, before, keepers = lease[1] or '', lease[6] or '', ARGV[6]
if owner ~= '' and before ~= '' then keepers = before .. ' ' .. keepers end
redis.call('HSET', KEYS[1], 'gateway', ARGV[1], 'boot', ARGV[2], 'epoch', epoch, 'commit', 0, 'last', last, 'keepers', keepers)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
local stored, said = redis.call('GET', KEYS[2]), redis.call('LRANGE', KEYS[3], 0, -1)
return {'acquired', epoch, stored, said, owner, last, before}
`);

/**
 * Writes snapshot and ledger events unless a higher epoch exists. A lease that is missing or lower was
 * lost by Redis, and is put back. Where a commit is missing that this one comes after, Redis has lost it,
 * in a failover or a restart: nothing is written, who calls has it still. Twice: the commit number has been
 * seen, nothing is written. What can
 * fail, on a ledger that is none, comes first: a script that fails is not undone.
 * Both parts of the ledger are trimmed each by itself, so that neither pushes anything out of the other.
 * KEYS lease, snapshot, ledger, messages, activity. ARGV gateway, boot, epoch, commit number, ttl in ms, ledger length,
 * packed snapshot, messages to keep, count of messages, activity length, count of ledger events, number of the
 * commit before or '' for whichever, keepers, messages..., ledger events..., activities...
 */
export const COMMIT = script(`
local lease = redis.call('HMGET', KEYS[1], 'epoch', 'commit')
local stored, epoch = tonumber(lease[1]) or 0, tonumber(ARGV[3])
if stored > epoch then return 'stale' end
local seen = stored == epoch and tonumber(lease[2]) or 0
if seen >= tonumber(ARGV[4]) then return 'repeated' end
if ARGV[12] ~= '' and seen < tonumber(ARGV[12]) then return 'gap' end
for list = 3, 5 do redis.call('LLEN', KEYS[list]) end
local events = 14 + ARGV[9]
local activities = events + ARGV[11]
local function record(key, first, last, length)
  if last < first then return end
  redis.call('RPUSH', key, unpack(ARGV, first, last))
  redis.call('LTRIM', key, -length, -1)
end
if events > 14 then redis.call('RPUSH', KEYS[4], unpack(ARGV, 14, events - 1)) end
if ARGV[8] == '0' then redis.call('DEL', KEYS[4]) else
  redis.call('LTRIM', KEYS[4], -ARGV[8], -1)
  redis.call('PEXPIRE', KEYS[4], ARGV[5])
end
record(KEYS[3], events, activities - 1, ARGV[6])
record(KEYS[5], activities, #ARGV, ARGV[10])
redis.call('PEXPIRE', KEYS[3], ARGV[5])
redis.call('PEXPIRE', KEYS[5], ARGV[5])
redis.call('SET', KEYS[2], ARGV[7], 'PX', ARGV[5])
if stored < epoch then redis.call('HSET', KEYS[1], 'gateway', ARGV[1], 'boot', ARGV[2], 'epoch', ARGV[3]) end
redis.call('HSET', KEYS[1], 'commit', ARGV[4], 'keepers', ARGV[13])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 'written'
`);

/**
 * When somebody must look at a visit, or never, unless a later owner has said so: a gateway that stood
 * still must not put its word in that one's place. All of it goes when the last of these times is long past
 * and nobody was there. Twice: nothing new.
 * KEYS deadlines, epochs. ARGV visit, epoch, time or '', for how long the deadlines live from now on in ms, and
 * the epochs.
 */
export const EXPECT = script(`
if (tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1])) or 0) > tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
if ARGV[3] == '' then
  redis.call('ZREM', KEYS[1], ARGV[1])
  return 1
end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return 1
`);

/**
 * Gives out visits that are overdue: whoever else asks gets them only after a while, where they still are.
 * Forgets the epochs of long ago, which are times: who had one of those speaks no more.
 * Twice: what the first one gave out is given out again then.
 * KEYS deadlines, epochs. ARGV overdue since, given out again at, how many, epochs that are long ago.
 */
export const OVERDUE = script(`
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
for _, visit in ipairs(due) do redis.call('ZADD', KEYS[1], 'XX', ARGV[2], visit) end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[4])
return due
`);

/**
 * Frees the lease if it is still of this epoch; forgets it where there is no visit. The epoch stays,
 * so that the next one is higher. Twice: nothing left to free.
 * KEYS lease, snapshot. ARGV epoch.
 */
export const RELEASE = script(`
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
if redis.call('EXISTS', KEYS[2]) == 0 then return redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], 'gateway', '', 'boot', '')
return 1
`);

/** On the way of who joins. */
export const JOIN_SCRIPTS = [ACQUIRE, COMMIT];
