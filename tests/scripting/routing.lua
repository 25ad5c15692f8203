-- Sends, changes and removes what arrives, by the name of the patient; notes what queries are.

local function note(name, ...)
  local arguments = table.pack(...)
  local texts = {}
  for i = 1, arguments.n do texts[i] = DumpJson(arguments[i], true) end
  local file = io.open('FOLDER/calls', 'a')
  file:write('{"name":"', name, '","arguments":[', table.concat(texts, ','), ']}\n')
  file:close()
end

for _, name in ipairs({
  'OnDeletedPatient', 'OnDeletedStudy', 'OnDeletedSeries', 'OnDeletedInstance',
}) do
  _G[name] = function(id) note('deleted', name, id) end
end
for _, name in ipairs({ 'OnJobSubmitted', 'OnJobSuccess', 'OnJobFailure' }) do
  _G[name] = function(id) note('job', name, ParseJson(RestApiGet('/jobs/' .. id)).Type) end
end

function OnHeartBeat() note('beat', true) end

function OnStoredInstance(id, tags, metadata, origin)
  local name = tags.PatientName
  if origin.RequestOrigin == 'Lua' then
    note('made', name, metadata.ModifiedFrom ~= nil)
  elseif name == 'Send' then
    note('gives', SendToModality(id, 'store'))
  elseif name == 'Peer' then
    note('gives', SendToPeer(id, 'other'))
  elseif name == 'Chain' then
    Delete(SendToModality(ModifyInstance(id, { PatientName = 'Changed' }, { 'StudyDate' }, true), 'store'))
  elseif name == 'Delete' then
    Delete(id)
  elseif name == 'System' then
    CallSystem(id, 'cp', {})
    CallSystem(id, 'sh', { '-c', 'cp "$1" FOLDER/copied.dcm', 'x' })
  elseif name == 'Unknown' then
    SendToModality(id, 'nobody')
  elseif name == 'Down' then
    Delete(SendToModality(ModifyInstance(id, { PatientName = 'Left' }), 'down'))
    SendToModality(id, 'store')
  end
end

function OnStableStudy(id, tags, metadata)
  if tags.StudyDescription == 'Stable' then SendToModality(id, 'store') end
end

function OutgoingCStoreInstanceFilter(tags, destination)
  note('leaving', tags.PatientName, destination)
  if tags.PatientComments == 'Raise' then error('raised') end
  return tags.PatientComments ~= 'Stay'
end

function IncomingFindRequestFilter(query, origin)
  note('find', query, origin)
  if query['0010,0020'] == 'RAISE' then error('raised') end
  if query['0010,0020'] == 'EMPTY' then return {} end
  if query['0010,0020'] == 'ALL' then
    return { QueryRetrieveLevel = 'STUDY', PatientID = '', ['0020,000d'] = '' }
  end
  return query
end

function IncomingWorklistRequestFilter(query, origin)
  note('worklist', query, origin)
  if query['0010,0020'] == 'RAISE' then error('raised') end
  if query['0010,0020'] == 'ALL' then query['0010,0020'] = '' end
  return query
end

function OutgoingFindRequestFilter(query, modality)
  note('asking', query, modality)
  if query['0010,0020'] == 'RAISE' then error('raised') end
  query['0008,1030'] = 'added'
  query['0010,0010'] = nil
  return query
end
