-- Admits one send: spends the limits of the number and creates a verification or adds a send to the pending one; or refuses and
-- changes nothing.
--
-- KEYS[1]   a start: the number        a resend: the verification
-- KEYS[2]   a start: the verification to create
-- ARGV[5]   'start' or 'resend'        ARGV[6]   the service
-- ARGV[7]   the rules                  ARGV[8]   waiting times between sends
-- ARGV[9]   id of the delivery         ARGV[10]  its channel
-- ARGV[11]  the request, or ''         ARGV[12]  the purpose, or ''
-- ARGV[13]  '1' if a limit by address denied, which was asked before
-- Only for a start:
-- ARGV[14]  the number's hash          ARGV[15]  digest of the exact number
-- ARGV[16]  '' or '+' and the digests of a code that the caller chose
-- ARGV[17]  id of the new verification ARGV[18]  its life
-- ARGV[19]  digits of its code         ARGV[20]  key that made its digests
-- ARGV[21]  digests and sealed code    ARGV[22]  identity     ARGV[23]  locale
--
-- Answers {what, now, since, number, verification, its id, created}; what is REFUSED, DONE, REPEATED or ABSENT.

local is_start, service_id, request, purpose = ARGV[5] == 'start', ARGV[6], ARGV[11], ARGV[12]
local delays, rules = ARGV[8], nil
local STATUS_UNKNOWN = 6

local function answer(what, number, v, now, created)
  return { what, now, SINCE, pack_number(number), v and pack_verification(v) or '', v and v.id or '', created and 1 or 0 }
end

-- The place of the send that this very request had, if it had one and its message may have left.
local function repeated_place(v, now)
  if request == '' or v.service ~= service_id then return nil end
  for place, d in ipairs(deliveries_of(v)) do
    if d.request == request and now < d.at + REPLY_KEPT_MS then return place end
  end
  return nil
end

local function conflicts(v)
  if purpose ~= '' and purpose ~= v.purpose then return true end
  if not is_start or ARGV[16] == '' then return false end
  local chosen = guess_under(v.key, string.sub(ARGV[16], 2))
  return v.secret == '' or chosen ~= string.sub(v.secret, 9, 16)
end

local function is_for(v) return not is_start or v.number == ARGV[15] end

-- Whether any rule refuses; Rust tells which, from the same records.
local function is_refused(number, service, current, now)
  if ARGV[13] == '1' or has_no_guess(service, rules, now) then return true end
  if is_full(service.sends, rules.sends, rules.sends_window, now) then return true end
  if is_full(number.sends, rules.all_sends, rules.all_sends_window, now) then return true end
  if not current then return false end
  if (is_for(current) and conflicts(current)) or current.checks >= rules.own_checks then return true end
  local used, last = 0, 0
  for _, d in ipairs(deliveries_of(current)) do
    if d.flags < REFUNDED then used, last = used + 1, d.at end
  end
  if used >= rules.own_sends or #current.deliveries >= MAX_DELIVERIES then return true end
  return math.min(next_at(delays, used, last), current.expires_at) > now
end

local function new_verification(number, now)
  return {
    id = ARGV[17], status = PENDING, ended_at = 0, service = service_id, phone = ARGV[14], number = ARGV[15], created_at = now,
    expires_at = now + tonumber(ARGV[18]), era = string.sub(ARGV[1], 1, 8), generation = number.generation,
    digits = tonumber(ARGV[19]), key = ARGV[20], checks = 0, checked_at = 0, checked_by = '', purpose = purpose,
    secret = ARGV[21], identity = ARGV[22], locale = ARGV[23], deliveries = {}
  }
end

-- Remembers a new verification; forgets those that need no longer be found, and the oldest of too many, whose id is returned.
local function remember(service, v, now)
  local found = service.found
  while #found > 0 and struct.unpack('>I6', found, 17) <= now do found = string.sub(found, FOUND_BYTES + 1) end
  local oldest
  if #found >= MAX_VERIFICATIONS * FOUND_BYTES then
    oldest, found = string.sub(found, 1, 16), string.sub(found, FOUND_BYTES + 1)
  end
  service.found = found .. v.id .. struct.pack('>I6', v.expires_at + RETENTION_MS)
  return oldest
end

local function spend(number, service, current, now)
  number.sends = take(number.sends, rules.all_sends_window, now)
  service.sends = take(service.sends, rules.sends_window, now)
  -- One live code a line: the pending one went to another number that shares its limits.
  local other = current and not is_for(current) and current or nil
  if other then finish(other, CANCELED, now) end
  local created = not current or other ~= nil
  local v = created and new_verification(number, now) or current
  local deliveries = deliveries_of(v)
  deliveries[#deliveries + 1] = {
    id = ARGV[9], at = now, channel = tonumber(ARGV[10]), status = STATUS_UNKNOWN, flags = 0, request = request, details = ''
  }
  local oldest = created and remember(service, v, now)
  if oldest and redis.call('EXISTS', verification_key(oldest)) == 0 then oldest = nil end
  local windows = math.max(rules.sends_window, rules.all_sends_window)
  number.needed_until = math.max(number.needed_until, now + windows, v.expires_at + RETENTION_MS)
  -- From here on there are writes only.
  if other then write_verification(other, now) end
  write_verification(v, now)
  write_number(number, now)
  if oldest then redis.call('DEL', verification_key(oldest)) end
  return answer(DONE, number, v, now, created)
end

local function resend()
  local clock = server_clock()
  local v = read_verification(string.sub(KEYS[1], #BASE + 3))
  if not v or v.service ~= service_id then return { ABSENT, clock } end
  local number, now = read_number(number_key(v.phone), clock)
  rules = read_rules(ARGV[7], now)
  v = settle_in_time(v, number, now)
  if not v then return { ABSENT, now } end
  local place = repeated_place(v, now)
  if place then return answer(REPEATED, number, v, now, place == 1) end
  local service = service_of(number, service_id)
  if not is_pending(v, now) then
    local refused = answer(REFUSED, number, v, now)
    let_expire(v, number, now)
    return refused
  end
  if is_refused(number, service, v, now) then return answer(REFUSED, number, v, now) end
  return spend(number, service, v, now)
end

local function start()
  local number, now = read_number(KEYS[1], server_clock())
  rules = read_rules(ARGV[7], now)
  local service = service_of(number, service_id)
  local ids = found_by(service)
  local newest = ids[1] and settle_in_time(read_verification(ids[1]), number, now)
  if request ~= '' then
    for index, id in ipairs(ids) do
      local v = newest
      if index > 1 then v = settle_in_time(read_verification(id), number, now) end
      local place = v and repeated_place(v, now)
      if place then return answer(REPEATED, number, v, now, place == 1) end
    end
  end
  if newest and newest.status == EXHAUSTED and now < newest.expires_at then return answer(REFUSED, number, newest, now) end
  if newest and not is_pending(newest, now) then newest = nil end
  if is_refused(number, service, newest, now) then return answer(REFUSED, number, newest, now) end
  return spend(number, service, newest, now)
end

if is_start then return start() end
return resend()
