-- One GCRA limit of one key (ITU-T I.371): charges it, gives a charge back, or looks.
--
-- KEYS[1]   the quota
-- ARGV[4]   'charge', 'give back' or 'look'
-- ARGV[5]   the window in milliseconds   ARGV[6]  how many are allowed in it
-- ARGV[7]   the attempt, eight bytes: a charge is made once for it and given back once
--
-- The value: version, theoretical arrival time and full backlog in microseconds (seven bytes each), then the latest charges (attempt,
-- instant), oldest first. A charge is remembered until it has drained by itself, and no more than MAX_CHARGES are: one that is not
-- remembered any more is not given back, which is the safe side.
--
-- The rule stands a second time in `verifyd_core::limits::gcra`; a test of random lives holds the two together.
--
-- Answers {1 if it was charged (or given back), now, since, the arrival time}.

local MAX_CHARGES, CHARGE_BYTES = 32, 14
local what, attempt = ARGV[4], ARGV[7]
local now = server_clock()
local window_ms, count = tonumber(ARGV[5]), tonumber(ARGV[6])
-- What was charged under caution is given back as without it: less, which is the safe side.
if what == 'charge' then count = cautious(count, window_ms, now) end
local interval_us = math.max(math.floor(window_ms * 1000 / count), 1)
local burst_us = interval_us * count
local now_us = now * 1000

local tat_us, full_us, charges = 0, 0, ''
local packed = redis.call('GET', KEYS[1])
if packed then
  local _, place
  _, tat_us, full_us, place = struct.unpack('>BI7I7', packed)
  charges = string.sub(packed, place)
  -- From a future that did not come: a full backlog from now on.
  if tat_us > now_us + full_us + MAX_STEP_BACK_MS * 1000 then tat_us = now_us + full_us end
end

local function place_of_attempt()
  for first = 1, #charges, CHARGE_BYTES do
    if string.sub(charges, first, first + 7) == attempt then return first end
  end
  return nil
end

local function write()
  keep(KEYS[1], struct.pack('>BI7I7', 1, tat_us, burst_us) .. charges, math.ceil(tat_us / 1000), now)
  return { 1, now, SINCE, tat_us }
end

local function charge()
  if place_of_attempt() then return { 1, now, SINCE, tat_us } end
  if math.max(tat_us - now_us, 0) + interval_us > burst_us then return { 0, now, SINCE, tat_us } end
  tat_us = math.max(tat_us, now_us) + interval_us
  while #charges > 0
    and (#charges >= MAX_CHARGES * CHARGE_BYTES or struct.unpack('>I6', charges, 9) * 1000 + interval_us <= now_us) do
    charges = string.sub(charges, CHARGE_BYTES + 1)
  end
  charges = charges .. attempt .. struct.pack('>I6', now)
  return write()
end

-- Gives back the part that cannot have drained since: a late one frees nothing of what others took meanwhile.
local function give_back()
  local first = place_of_attempt()
  if not first then return { 0, now, SINCE, tat_us } end
  local drained_us = math.max(now_us - struct.unpack('>I6', charges, first + 8) * 1000, 0)
  charges = string.sub(charges, 1, first - 1) .. string.sub(charges, first + CHARGE_BYTES)
  tat_us = math.max(tat_us - math.max(interval_us - drained_us, 0), 0)
  return write()
end

if what == 'charge' then return charge() end
if what == 'give back' then return give_back() end
return { 0, now, SINCE, tat_us }
