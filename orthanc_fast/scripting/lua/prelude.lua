-- What Orthanc's Lua has and a bare Lua 5.3 lacks, and the functions of Orthanc that need nothing but
-- Lua. It is loaded into each context with the functions of the server in `server`.
-- Source: reference chapter 7, section 6; chapter 4, section 9.

local server = ...

-- math: what Lua 5.3 keeps for scripts of 5.2

function math.cosh(x) return (math.exp(x) + math.exp(-x)) / 2 end
function math.sinh(x) return (math.exp(x) - math.exp(-x)) / 2 end
function math.tanh(x)
  if x > 20 then return 1.0 elseif x < -20 then return -1.0 end
  local a, b = math.exp(x), math.exp(-x)
  return (a - b) / (a + b)
end
function math.pow(x, y) return (x + 0.0) ^ y end
function math.log10(x) return math.log(x, 10) end
function math.ldexp(x, e) return (x + 0.0) * 2.0 ^ e end
function math.frexp(x)
  x = x + 0.0
  if x == 0 or x ~= x or x == math.huge or x == -math.huge then return x, 0 end
  local e = math.floor(math.log(math.abs(x), 2)) + 1
  local m = x / 2.0 ^ e
  if math.abs(m) >= 1 then m, e = m / 2, e + 1 elseif math.abs(m) < 0.5 then m, e = m * 2, e - 1 end
  return m, e
end
math.atan2 = math.atan

-- bit32

local WORD = 0xFFFFFFFF

local function word(x)
  local n = math.tointeger(x)
  if n == nil then
    x = x + 0.0
    if x ~= math.floor(x) then error("number has no integer representation", 3) end
    n = math.tointeger(x % 4294967296.0)
  end
  return n & WORD
end

local function all(start, combine, ...)
  local found = start
  for i = 1, select('#', ...) do found = combine(found, word((select(i, ...)))) end
  return found & WORD
end

local function shifted(x, by)
  if by >= 32 or by <= -32 then return 0 end
  if by >= 0 then return (x << by) & WORD end
  return x >> -by
end

local function field(at, width)
  width = width or 1
  if at < 0 then error("field cannot be negative", 3) end
  if width <= 0 then error("width must be positive", 3) end
  if at + width > 32 then error("trying to access non-existent bits", 3) end
  return at, ~(~0 << width)
end

bit32 = {}
function bit32.band(...) return all(WORD, function(a, b) return a & b end, ...) end
function bit32.bor(...) return all(0, function(a, b) return a | b end, ...) end
function bit32.bxor(...) return all(0, function(a, b) return a ~ b end, ...) end
function bit32.btest(...) return bit32.band(...) ~= 0 end
function bit32.bnot(x) return ~word(x) & WORD end
function bit32.lshift(x, by) return shifted(word(x), by) end
function bit32.rshift(x, by) return shifted(word(x), -by) end
function bit32.arshift(x, by)
  x = word(x)
  if by < 0 or x & 0x80000000 == 0 then return shifted(x, -by) end
  if by >= 32 then return WORD end
  return ((x >> by) | ~(WORD >> by)) & WORD
end
function bit32.lrotate(x, by)
  x, by = word(x), by & 31
  return ((x << by) | (x >> (32 - by))) & WORD
end
function bit32.rrotate(x, by) return bit32.lrotate(x, -by) end
function bit32.extract(x, at, width)
  local first, mask = field(at, width)
  return (word(x) >> first) & mask
end
function bit32.replace(x, value, at, width)
  local first, mask = field(at, width)
  return (word(x) & ~(mask << first) | ((word(value) & mask) << first)) & WORD
end

-- Programs. A bare Lua has no io.popen, and os.execute gives the status as the system does

local execute = os.execute

function os.execute(...)
  local worked, how, status = execute(...)
  if math.type(status) ~= 'integer' then return worked end
  local signal = status & 0x7F
  if signal ~= 0 then return nil, 'signal', signal end
  return worked, how, status >> 8
end

-- by the handles of their pipes, for as long as these are used
local programs = setmetatable({}, { __mode = 'k' })
local file_methods = getmetatable(io.stdout).__index
local close_file, close_any = file_methods.close, io.close

local function ended(program, worked, ...)
  if not worked then return worked, ... end
  local code = server.programs.wait(program)
  if code < 0 then return nil, 'signal', -code end
  return code == 0 or nil, 'exit', code
end

local function passed_on(worked, ...)
  if worked then return ... end
  error((...), 2) -- in the line of the script, as this is called in the place of a function
end

function file_methods.close(...)
  local program = programs[(...)]
  if program == nil then return passed_on(pcall(close_file, ...)) end
  programs[(...)] = nil
  return ended(program, close_file(...))
end

function io.close(...)
  local file = ...
  if select('#', ...) == 0 then file = io.output() end
  if programs[file] == nil then return passed_on(pcall(close_any, ...)) end
  return file:close()
end

function io.popen(command, mode)
  if type(command) ~= 'string' and type(command) ~= 'number' then
    local given = command == nil and 'no value' or type(command)
    error("bad argument #1 to 'popen' (string expected, got " .. given .. ')', 2)
  end
  mode = mode or 'r'
  if mode ~= 'r' and mode ~= 'w' then error("bad argument #2 to 'popen' (invalid mode)", 2) end
  local program, path, code = server.programs.begin(tostring(command), mode == 'r')
  if program == nil then return nil, path, code end
  local file, fault, number = io.open(path, mode)
  server.programs.hand_over(program)
  if file == nil then return nil, fault, number end
  programs[file] = program
  return file
end

-- Where Debian has packages of Lua, before the current folder

local function with_debian(path, own) return (path:gsub('%./%?', own .. '%0', 1)) end

package.path = with_debian(package.path, '/usr/share/lua/5.3/?.lua;/usr/share/lua/5.3/?/init.lua;')
package.cpath = with_debian(package.cpath, server.compiled .. '/lua/5.3/?.so;/usr/lib/lua/5.3/?.so;')

-- print goes to the log

function print(...)
  local texts = table.pack(...)
  for i = 1, texts.n do texts[i] = tostring(texts[i]) end
  local text = table.concat(texts, ', ')
  server.print((text:match('^[^\0]*')))
end

-- JSON. Numbers beyond 32 bits are written as floating point, and a text that is a number as that
-- number unless texts are to be kept.

local DEEPEST = 100
local ESCAPES = {
  ['"'] = '\\"', ['\\'] = '\\\\', ['\b'] = '\\b', ['\f'] = '\\f', ['\n'] = '\\n', ['\r'] = '\\r',
  ['\t'] = '\\t',
}

local function escaped(code)
  if code < 0x10000 then return string.format('\\u%04x', code) end
  code = code - 0x10000
  return string.format('\\u%04x\\u%04x', 0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF))
end

local function json_text(text)
  text = text:gsub('[%c"\\]', function(c)
    if c == '\127' then return c end
    return ESCAPES[c] or string.format('\\u%04x', c:byte())
  end)
  if not text:find('[\128-\255]') then return '"' .. text .. '"' end
  local parts, at = {}, 1
  while at <= #text do
    local byte = text:byte(at)
    if byte < 128 then
      local last = (text:find('[\128-\255]', at) or #text + 1) - 1
      parts[#parts + 1] = text:sub(at, last)
      at = last + 1
    else
      local one = text:match('^[\xC2-\xF4][\x80-\xBF]*', at)
      local size = byte >= 0xF0 and 4 or byte >= 0xE0 and 3 or 2
      one = one and one:sub(1, size)
      if one and utf8.len(one) == 1 then
        parts[#parts + 1] = escaped(utf8.codepoint(one))
        at = at + #one
      else
        parts[#parts + 1] = '\\ufffd'
        at = at + 1
      end
    end
  end
  return '"' .. table.concat(parts) .. '"'
end

local function json_number(value)
  if value ~= value then return 'null' end
  if value == math.huge then return '1e+9999' elseif value == -math.huge then return '-1e+9999' end
  if value == math.floor(value) and value >= -2147483648 and value <= 2147483647 then
    return string.format('%d', math.tointeger(value))
  end
  local text = string.format('%.17g', value + 0.0)
  return text:find('[.e]') and text or text .. '.0'
end

local function is_list(value)
  local count = 0
  for key in next, value do
    if math.type(key) ~= 'integer' or key < 1 then return false end
    count = count + 1
  end
  return count == #value
end

local function to_json(value, keep, depth)
  local kind = type(value)
  if kind == 'table' then
    if depth > DEEPEST then error('a table is nested too deeply to become JSON', 0) end
    local parts = {}
    if is_list(value) then
      for i, each in ipairs(value) do parts[i] = to_json(each, keep, depth + 1) end
      return '[' .. table.concat(parts, ',') .. ']'
    end
    local members, names = {}, {}
    for key, each in next, value do
      if type(key) ~= 'string' and type(key) ~= 'number' then
        error('a table with a ' .. type(key) .. ' as key cannot become JSON', 0)
      end
      local name = tostring(key)
      names[#names + 1] = name
      members[name] = to_json(each, keep, depth + 1)
    end
    table.sort(names)
    for i, name in ipairs(names) do parts[i] = json_text(name) .. ':' .. members[name] end
    return '{' .. table.concat(parts, ',') .. '}'
  elseif kind == 'string' then
    local number = not keep and tonumber(value)
    return number and json_number(number) or json_text(value)
  elseif kind == 'number' then
    return keep and json_text(tostring(value)) or json_number(value)
  elseif kind == 'boolean' then
    return tostring(value)
  end
  return 'null'
end

function DumpJson(...)
  local count = select('#', ...)
  if count ~= 1 and count ~= 2 then
    server.log('Lua: Bad parameters to DumpJson()')
    return nil
  end
  local value, keep = ...
  return to_json(value, keep and true or false, 0)
end

function PrintRecursive(value, indent, done)
  local function walk(inner, where)
    for key, each in pairs(inner) do
      local place = where .. '\t[' .. tostring(key) .. ']'
      if type(each) == 'table' then
        print(place .. ', table')
        walk(each, place)
      else
        print(place .. ', ' .. type(each) .. ', ' .. tostring(each))
      end
    end
  end
  if type(value) == 'table' then
    print('table')
    walk(value, '')
  else
    print(type(value), value)
  end
end

-- Routing: operations are noted while a callback runs, and done when it has ended

function _InitializeJob() _job = {} end

function _AccessJob() return _job end

local function noted(resource, what, operation)
  if resource == nil then error('Cannot ' .. what .. ' a nonexistent resource', 3) end
  operation.Resource = resource
  table.insert(_job, operation)
end

function SendToModality(resource, modality, localAet)
  noted(resource, 'send', { Operation = 'store-scu', Modality = modality, LocalAet = localAet })
  return resource
end

function SendToPeer(resource, peer)
  noted(resource, 'send', { Operation = 'store-peer', Peer = peer })
  return resource
end

function Delete(resource)
  noted(resource, 'delete', { Operation = 'delete' })
  return nil
end

function ModifyResource(resource, replace, remove, removePrivateTags)
  if resource == '' then error('Cannot modify twice an resource', 2) end
  noted(resource, 'modify', {
    Operation = 'modify', Replace = replace, Remove = remove,
    RemovePrivateTags = removePrivateTags,
  })
  return ''
end

ModifyInstance = ModifyResource

function CallSystem(resource, command, arguments)
  noted(resource, 'execute a system call on', {
    Operation = 'call-system', Command = command, Arguments = arguments,
  })
  return resource
end

-- Functions of the server: each gives whether it has worked, and its value or the error

local FAULT = { __tostring = function(self) return self.details end }

local function checked(worked, value)
  if worked then return value end
  error(setmetatable(value, FAULT), 0)
end

local SILENT = { SetHttpCredentials = true, SetHttpTimeout = true }

for _, name in ipairs(server.names) do
  local call = server[name]
  if SILENT[name] then
    _G[name] = function(...) checked(call(select('#', ...), ...)) end
  else
    _G[name] = function(...) return checked(call(select('#', ...), ...)) end
  end
end

-- For the server

local getinfo = debug.getinfo

local function report(fault)
  if type(fault) == 'string' or type(fault) == 'number' then return { details = tostring(fault) } end
  if getmetatable(fault) == FAULT then return { details = fault.details, code = fault.code } end
  return { code = -1 }
end

local function result(worked, ...)
  if worked then return true, ... end
  return false, report((...))
end

return {
  call = function(name, ...) return result(pcall(_G[name], ...)) end,
  route = function(name, ...)
    _InitializeJob()
    local worked, fault = result(pcall(_G[name], ...))
    if not worked then return false, fault end
    return pcall(to_json, _job, true, 0)
  end,
  run = function(source, name)
    local chunk, fault = load(source, name, 't')
    if chunk == nil then return false, { details = fault } end
    return result(pcall(chunk))
  end,
  has = function(name) return type(_G[name]) == 'function' end,
  takes = function(name)
    if type(_G[name]) ~= 'function' then return nil end
    local found = getinfo(_G[name], 'u')
    return found.isvararg and math.maxinteger or found.nparams
  end,
  json = function(value) return pcall(to_json, value, true, 0) end,
}
