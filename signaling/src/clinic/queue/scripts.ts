import { script } from '@bedside/service';

/*
 * The queue of a clinic is a hash: visit key to "<expiry in ms> <epoch of the visit's lease> <entry as JSON>".
 * An entry that was removed stays for a while as one without JSON, so that what an older owner says
 * late is known to be old. Time is that of Redis: gateways' clocks differ.
 */

/**
 * Writes entries, or removes them where the JSON is empty, except those that a higher epoch has
 * written; tells on the channel which have changed. Answers with the visits that were refused. Twice:
 * the same entries once more, and nobody is told.
 * KEYS queue. ARGV channel, life of an entry in ms, life of a removed one, then visit, epoch, JSON each.
 */
export const WRITE = script(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local told, refused = {}, {}
for i = 4, #ARGV, 3 do
  local visit, epoch, json = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local stored = redis.call('HGET', KEYS[1], visit) or ''
  local oldExpiry, oldEpoch, oldJson = string.match(stored, '^(%d+) (%d+) (.*)$')
  if oldEpoch and tonumber(oldEpoch) > tonumber(epoch) then
    refused[#refused + 1] = visit
  else
    local life = json == '' and ARGV[3] or ARGV[2]
    redis.call('HSET', KEYS[1], visit, string.format('%.0f %s %s', now + life, epoch, json))
    local expired = oldExpiry and tonumber(oldExpiry) <= now
    if (oldJson or '') ~= json or expired then told[#told + 1] = visit end
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if #told > 0 then redis.call('PUBLISH', ARGV[1], table.concat(told, ' ')) end
return refused
`);

/**
 * The entries of these visits, or of all, as visit and JSON in turn; what has expired goes. Twice: the same.
 * KEYS queue. ARGV visits, none for all.
 */
export const READ = script(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local live = {}
local function look(visit, stored)
  local expiry, json = string.match(stored, '^(%d+) %d+ (.*)$')
  if not expiry or tonumber(expiry) <= now then
    redis.call('HDEL', KEYS[1], visit)
  elseif json ~= '' then
    live[#live + 1] = visit
    live[#live + 1] = json
  end
end
if #ARGV == 0 then
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do look(all[i], all[i + 1]) end
else
  for i, stored in ipairs(redis.call('HMGET', KEYS[1], unpack(ARGV))) do
    if stored then look(ARGV[i], stored) end
  end
end
return live
`);
