-- Notes the arguments of all callbacks as lines of JSON in the file that FOLDER names.

local function note(name, ...)
  local arguments = table.pack(...)
  local texts = {}
  for i = 1, arguments.n do texts[i] = DumpJson(arguments[i], true) end
  local file = io.open('FOLDER/calls', 'a')
  file:write('{"name":"', name, '","arguments":[', table.concat(texts, ','), ']}\n')
  file:close()
end

for _, name in ipairs({
  'Initialize', 'Finalize', 'OnStoredInstance', 'OnStablePatient', 'OnStableStudy', 'OnStableSeries',
  'OnUpdatedPatient', 'OnUpdatedStudy', 'OnUpdatedSeries', 'OnUpdatedInstance',
}) do
  _G[name] = function(...) note(name, ...) end
end

function ReceivedInstanceFilter(tags, origin, info)
  note('ReceivedInstanceFilter', tags, origin, info)
  if tags.PatientName == 'Raise' then error('raised') end
  if tags.PatientName == 'Text' then return 'text' end
  if tags.PatientName == 'Nothing' then return end
  return tags.PatientName ~= 'Refuse'
end

STATUSES = { Full = 0xA700, Warn = 0xB000, Text = 'x', Large = 0x10000, Float = 272.0, Part = 1.5 }

function ReceivedCStoreInstanceFilter(tags, origin, info)
  note('ReceivedCStoreInstanceFilter', tags, origin, info)
  if tags.PatientComments == 'Raise' then error('raised') end
  if tags.PatientComments == 'Nothing' then return end
  return STATUSES[tags.PatientComments] or 0
end

function IncomingHttpRequestFilter(method, uri, ip, user, headers)
  if uri:sub(1, 9) == '/filtered' then
    note('IncomingHttpRequestFilter', method, uri, ip, user, headers['x-own'])
    if uri == '/filtered/number' then return 5 end
    if uri == '/filtered/nothing' then return end
    if uri == '/filtered/raise' then error('raised') end
    if uri == '/filtered/table' then error({}) end
    return uri == '/filtered/yes'
  end
  return true
end
