-- Numbers and verifications: how they are packed, and the rules that scripts must decide by.
--
-- These rules stand a second time in Rust (`verifyd_core::store::judge`, `limits::SlidingLog`), because a decision here is one round
-- trip. The contract suite, the model and the tests of logs beside this file hold the two together. What is only shown is computed
-- in Rust alone, from the records that the scripts return.
--
-- ARGV[4]  how long a verification stays readable after its life, in milliseconds
--
-- A number: version, latest instant used, generation (how often its clock went back too far), until when its counters matter, log of
-- sends by all services, forget marks, services.
-- A forget mark: 1 and 16 zero bytes for all services or 0 and the service; the instant.
-- A service of a number: id, failures in a row, last failure, log of sends, log of failures, verifications (id, gone at).
-- A verification: see HEAD; then its deliveries (id, at, channel, status, flags, request, details).
-- A log: instants in ascending order.

local RETENTION_MS = tonumber(ARGV[4])
local BASE = string.match(KEYS[1], '^[^{]*{%x+}:')
local NUMBER = '>BI6I2I6I3c0Hc0H'
local SERVICE = '>c16I4I6I3c0I3c0Hc0'
local HEAD = '>BBI6c16c16c8I6I6c8I2Bc4I4I6Bc0Bc0Hc0Hc0Bc0B'
local DELIVERY = '>c16I6BBBBc0Hc0'
local MARK_BYTES, FOUND_BYTES, INSTANT_BYTES = 23, 22, 6
local VERSION = 1

local PENDING, APPROVED, CANCELED, EXHAUSTED, FAILED = 0, 1, 2, 3, 4
local SETTLED, REFUNDED = 1, 2
local MAX_DELIVERIES, MAX_VERIFICATIONS = 32, 16

-- A row of failures is remembered this long after the last one; a short one, such as typing errors, not as long.
local SHORT_ROW_MS, LONG_ROW_MS, LONG_ROW = 2592000000, 31622400000, 10

-- What scripts answer in the first place.
local REFUSED, DONE, REPEATED, ABSENT = 0, 1, 2, 3

-- Sliding logs: the window is (now - window, now], so what is exactly as old as the window is free.

local function live(log, window, now)
  local first = 1
  while first < #log and struct.unpack('>I6', log, first) + window <= now do first = first + INSTANT_BYTES end
  if first == 1 then return log end
  return string.sub(log, first)
end

local function is_full(log, count, window, now)
  return #live(log, window, now) >= count * INSTANT_BYTES
end

local function take(log, window, now)
  return live(log, window, now) .. struct.pack('>I6', now)
end

-- Gives back one that was taken at `at`; nothing if there is none.
local function give_back(log, at)
  local taken = struct.pack('>I6', at)
  for first = #log - 5, 1, -INSTANT_BYTES do
    if string.sub(log, first, first + 5) == taken then
      return string.sub(log, 1, first - 1) .. string.sub(log, first + INSTANT_BYTES)
    end
  end
  return log
end

local function clamp(log, ceiling)
  local clamped = {}
  for first = 1, #log, INSTANT_BYTES do
    clamped[#clamped + 1] = struct.pack('>I6', math.min(struct.unpack('>I6', log, first), ceiling))
  end
  return table.concat(clamped)
end

-- Numbers.

local function keep_number_until(number)
  local ends = number.needed_until
  for first = 1, #number.marks, MARK_BYTES do
    ends = math.max(ends, struct.unpack('>I6', number.marks, first + 17) + REPLY_KEPT_MS)
  end
  for _, service in ipairs(number.services) do
    if service.row > 0 then
      ends = math.max(ends, service.failed_at + (service.row < LONG_ROW and SHORT_ROW_MS or LONG_ROW_MS))
    end
  end
  return ends
end

-- The server's clock was far ahead when this number was last used, and is back: what was counted there counts from now on, and
-- what was pending is void. Neither a code is revived nor a limit frozen until that future comes.
local function accept_clock(number, now)
  number.needed_until = now + math.max(number.needed_until - number.latest, 0)
  number.sends = clamp(number.sends, now)
  local marks = {}
  for first = 1, #number.marks, MARK_BYTES do
    local at = math.min(struct.unpack('>I6', number.marks, first + 17), now)
    marks[#marks + 1] = string.sub(number.marks, first, first + 16) .. struct.pack('>I6', at)
  end
  number.marks = table.concat(marks)
  for _, service in ipairs(number.services) do
    service.sends, service.failures = clamp(service.sends, now), clamp(service.failures, now)
    service.failed_at = math.min(service.failed_at, now)
  end
  number.latest, number.generation, number.packed = now, (number.generation + 1) % 65536, nil
end

local function empty_number(key, generation)
  return { key = key, latest = 0, generation = generation, needed_until = 0, sends = '', marks = '', services = {} }
end

-- The number behind `key`, and the instant to use: the clock's, but never before the latest that was used for this number.
local function read_number(key, clock)
  local packed = redis.call('GET', key)
  if not packed then return empty_number(key, 0), clock end
  local number, _, count, place = { key = key, packed = packed, services = {} }, nil, nil, nil
  _, number.latest, number.generation, number.needed_until, number.sends, number.marks, count, place = struct.unpack(NUMBER, packed)
  for index = 1, count do
    local id, row, failed_at, sent, failures, found
    id, row, failed_at, sent, failures, found, place = struct.unpack(SERVICE, packed, place)
    number.services[index] = { id = id, row = row, failed_at = failed_at, sends = sent, failures = failures, found = found }
  end
  if clock + MAX_STEP_BACK_MS < number.latest then accept_clock(number, clock) end
  local now = math.max(clock, number.latest)
  if now >= keep_number_until(number) then return empty_number(key, number.generation), now end
  return number, now
end

-- The number as `id` knows it; a new entry if it does not, written only with the number.
local function service_of(number, id)
  for _, service in ipairs(number.services) do
    if service.id == id then return service end
  end
  local service = { id = id, row = 0, failed_at = 0, sends = '', failures = '', found = '' }
  number.services[#number.services + 1] = service
  return service
end

local function pack_number(number)
  if number.packed then return number.packed end
  local parts = {
    struct.pack(NUMBER, VERSION, number.latest, number.generation, number.needed_until, #number.sends, number.sends, #number.marks,
      number.marks, #number.services)
  }
  for _, service in ipairs(number.services) do
    parts[#parts + 1] = struct.pack(SERVICE, service.id, service.row, service.failed_at, #service.sends, service.sends,
      #service.failures, service.failures, #service.found, service.found)
  end
  number.packed = table.concat(parts)
  return number.packed
end

local function write_number(number, now)
  number.latest, number.packed = now, nil
  local packed = pack_number(number)
  keep(number.key, packed, keep_number_until(number), now)
  return packed
end

-- Verifications.

local function verification_key(id) return BASE .. 'v:' .. id end

local function number_key(phone) return BASE .. 'n:' .. phone end

local function is_of_this_era(era)
  for first = 1, #ARGV[1], 8 do
    if string.sub(ARGV[1], first, first + 7) == era then return true end
  end
  return false
end

-- What is stored under an id, of whichever service; nil if nothing is.
local function read_verification(id)
  local packed = redis.call('GET', verification_key(id))
  if not packed then return nil end
  local v = { id = id, packed = packed }
  local place, _
  _, v.status, v.ended_at, v.service, v.phone, v.number, v.created_at, v.expires_at, v.era, v.generation, v.digits, v.key, v.checks,
    v.checked_at, v.checked_by, v.purpose, v.secret, v.identity, v.locale, v.delivery_count, place = struct.unpack(HEAD, packed)
  v.tail, v.has_stored_secret = string.sub(packed, place), v.secret ~= ''
  return v
end

-- The verification as it counts at `now`; nil once it need no longer be found. A pending one of another era may have lost guesses
-- that were counted, and one of before the clock went back could live for years or was followed by another: both are over now.
local function settle_in_time(v, number, now)
  if not v then return nil end
  local ends = v.expires_at
  if v.generation ~= number.generation then ends = math.min(ends, now) end
  if v.status == PENDING and not is_of_this_era(v.era) then ends = math.min(ends, now) end
  if ends < v.expires_at then
    v.expires_at, v.packed = ends, nil
    if v.status == PENDING then v.secret = '' end
  end
  if now >= v.expires_at + RETENTION_MS then return nil end
  return v
end

local function deliveries_of(v)
  if v.deliveries then return v.deliveries end
  local deliveries, place = {}, 1
  for index = 1, v.delivery_count do
    local d = {}
    d.id, d.at, d.channel, d.status, d.flags, d.request, d.details, place = struct.unpack(DELIVERY, v.tail, place)
    deliveries[index] = d
  end
  v.deliveries = deliveries
  return deliveries
end

local function pack_verification(v)
  if v.packed then return v.packed end
  local tail, count = v.tail, v.delivery_count
  if v.deliveries then
    local parts = {}
    for index, d in ipairs(v.deliveries) do
      parts[index] = struct.pack(DELIVERY, d.id, d.at, d.channel, d.status, d.flags, #d.request, d.request, #d.details, d.details)
    end
    tail, count = table.concat(parts), #v.deliveries
  end
  local head = struct.pack(HEAD, VERSION, v.status, v.ended_at, v.service, v.phone, v.number, v.created_at, v.expires_at, v.era,
    v.generation, v.digits, v.key, v.checks, v.checked_at, #v.checked_by, v.checked_by, #v.purpose, v.purpose, #v.secret, v.secret,
    #v.identity, v.identity, #v.locale, v.locale, count)
  v.packed = head .. tail
  return v.packed
end

local function write_verification(v, now)
  v.packed = nil
  local packed = pack_verification(v)
  keep(verification_key(v.id), packed, v.expires_at + RETENTION_MS, now)
  return packed
end

-- Ends a pending one, whose code has done its work.
local function finish(v, status, now)
  v.status, v.ended_at, v.secret = status, now, ''
end

local function is_pending(v, now) return v.status == PENDING and now < v.expires_at end

-- The verifications of a service, newest first.
local function found_by(service)
  local ids = {}
  for first = #service.found - FOUND_BYTES + 1, 1, -FOUND_BYTES do
    ids[#ids + 1] = string.sub(service.found, first, first + 15)
  end
  return ids
end

-- A refusal that told that a life is over must stay true, also when the clock steps back a little: the code goes, and the instant
-- is remembered.
local function let_expire(v, number, now)
  if v.status ~= PENDING or not v.has_stored_secret then return end
  v.secret = ''
  write_verification(v, now)
  write_number(number, now)
end

-- Rules of a service, and waiting times: a list of spans of six bytes.

local function read_rules(packed, now)
  local rules = {}
  rules.sends, rules.sends_window, rules.all_sends, rules.all_sends_window, rules.own_sends, rules.own_checks, rules.failures,
    rules.failures_window, rules.row = struct.unpack('>I4I6I4I6I4I4I4I6I4', packed)
  rules.sends = cautious(rules.sends, rules.sends_window, now)
  rules.all_sends = cautious(rules.all_sends, rules.all_sends_window, now)
  rules.failures = cautious(rules.failures, rules.failures_window, now)
  return rules
end

-- When the next is allowed after `used` of them, the last at `last`: the last span repeats.
local function next_at(delays, used, last)
  local count = #delays / INSTANT_BYTES
  if used == 0 or count == 0 then return 0 end
  return last + struct.unpack('>I6', delays, (math.min(used, count) - 1) * INSTANT_BYTES + 1)
end

-- Whether the number has used its wrong guesses.
local function has_no_guess(service, rules, now)
  return service.row >= rules.row or is_full(service.failures, rules.failures, rules.failures_window, now)
end

-- The guess made with the key `key` among guesses of four bytes of key and eight of digest; nil if none is.
local function guess_under(key, guesses)
  for first = 1, #guesses, 12 do
    if string.sub(guesses, first, first + 3) == key then return string.sub(guesses, first + 4, first + 11) end
  end
  return nil
end
