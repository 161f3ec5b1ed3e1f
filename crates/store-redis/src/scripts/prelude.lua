-- Stands in front of every script: the clock and the arguments that all share.
--
-- ARGV[1]  the eras that count, eight bytes each, the present one first (set by the link)
-- ARGV[2]  since when data may be missing, in milliseconds since 1970, or 0 (set by the link)
-- ARGV[3]  the clock: '+N' is the server's own, N milliseconds ahead; '=N' is the instant N, for tests
-- From ARGV[4] on each script has its own. All instants are milliseconds since 1970, six bytes where they are packed (big endian);
-- all keys of one call share a hash tag.
--
-- A script reads every key that it may write before it writes the first: in a cluster that is moving the slot a key can be missing
-- here, and then the read fails while nothing has changed yet. Out of memory, too few replicas and a full disk fail the first write,
-- which is a SET wherever there is one.

-- What is kept longer than it counts, so that a TTL is never the rule by which something ends.
local SLACK_MS = 60000
-- A step back of the clock up to this is clamped; what lies further ahead is from a future that did not come.
local MAX_STEP_BACK_MS = 300000
-- How long a request that can be repeated is remembered (REPLY_KEPT of the core).
local REPLY_KEPT_MS = 86400000

-- Since when counters may be incomplete, because a primary was lost.
local SINCE = tonumber(ARGV[2])

-- The most per window: half of it while the window reaches back to what may be missing. Rust tells it by the same rule (`caution`).
local function cautious(count, window_ms, now)
  if SINCE > 0 and now < SINCE + window_ms then return math.ceil(count / 2) end
  return count
end

local function server_clock()
  local given = ARGV[3]
  if string.sub(given, 1, 1) == '=' then return tonumber(string.sub(given, 2)) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(given)
end

-- Writes a value that counts until `ends`.
local function keep(key, value, ends, now)
  redis.call('SET', key, value, 'PX', string.format('%d', math.max(ends - now, 0) + SLACK_MS))
end
