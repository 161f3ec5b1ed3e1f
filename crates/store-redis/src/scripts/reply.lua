-- A request that can be repeated: begins it, keeps its reply, or abandons it.
--
-- KEYS[1]   the reply
-- ARGV[4]   'begin', 'finish' or 'abandon'   ARGV[5]  what the request asks, eight bytes
-- ARGV[6]   the claimer, eight bytes: a claim is ended by its claimer alone
-- ARGV[7]   to begin: how long a claim holds, in milliseconds     to finish: the reply, packed by Rust
-- ARGV[8]   to begin: the instant of a beginning whose reply was forgotten since, or 0
--
-- A claim: 1, what is asked, begun at, holds until, claimer. A kept reply: 2, what was asked, begun at, the reply.
--
-- Answers {0}: begun, or ended, or nothing to do. {1, now, until, what is asked}: at work. {2, now, begun, what was asked, reply}: kept.

local CLAIM, KEPT = 1, 2
local what, digest, claimer = ARGV[4], ARGV[5], ARGV[6]
local now = server_clock()
local packed = redis.call('GET', KEYS[1])
local kind = packed and string.byte(packed)

local function begin()
  if kind == CLAIM then
    local _, asked, _, ends = struct.unpack('>Bc8I6I6', packed)
    if now < ends then return { 1, now, ends, asked } end
  elseif kind == KEPT then
    local _, asked, begun, place = struct.unpack('>Bc8I6', packed)
    if now < begun + REPLY_KEPT_MS and begun ~= tonumber(ARGV[8]) then
      return { 2, now, begun, asked, string.sub(packed, place) }
    end
  end
  local ends = now + tonumber(ARGV[7])
  keep(KEYS[1], struct.pack('>Bc8I6I6c8', CLAIM, digest, now, ends, claimer), ends, now)
  return { 0 }
end

if what == 'begin' then return begin() end
if kind ~= CLAIM then return { 0 } end
local _, asked, begun, _, holder = struct.unpack('>Bc8I6I6c8', packed)
if asked ~= digest or holder ~= claimer then return { 0 } end
if what == 'abandon' then
  redis.call('DEL', KEYS[1])
else
  keep(KEYS[1], struct.pack('>Bc8I6', KEPT, digest, begun) .. ARGV[7], begun + REPLY_KEPT_MS, now)
end
return { 0 }
