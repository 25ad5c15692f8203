-- When a study is complete: writes it as a ZIP, makes an anonymous copy, sends it as a job.

function OnStableStudy(studyId, tags, metadata)
  if metadata['AnonymizedFrom'] ~= nil then
    note('anonymous', tags['StudyDescription'] or 'none', tags.PatientName, RestApiGet('/studies/' .. metadata['AnonymizedFrom']) ~= nil)
    return
  end
  note('stable', tags, metadata.LastUpdate ~= nil)
  local zip = RestApiGet('/studies/' .. studyId .. '/archive')
  local file = io.open('FOLDER/out.zip', 'wb')
  file:write(zip)
  file:close()
  note('zip', zip:sub(1, 2))

  local command = {}
  command['Replace'] = { PatientName = 'Trial', PatientID = '0042' }
  command['Keep'] = { 'StudyDescription' }
  command['KeepSource'] = true
  command['Force'] = true
  local made = ParseJson(RestApiPost('/studies/' .. studyId .. '/anonymize', DumpJson(command, true)))
  note('made', made['Type'], made['Path'] == '/studies/' .. made['ID'], made.PatientID ~= nil)

  local job = {}
  job['Resources'] = { studyId }
  job['Asynchronous'] = false
  job['Synchronous'] = true
  local sent = ParseJson(RestApiPost('/modalities/store/store', DumpJson(job, true)))
  note('sent', sent.InstancesCount, sent.FailedInstancesCount, sent.RemoteAet, sent.ParentResources[1] == studyId)

  note('down', RestApiPost('/modalities/down/store', studyId))
  note('unknown', RestApiPost('/modalities/nobody/store', studyId))
  local found = ParseJson(RestApiPost('/tools/find', DumpJson({ Level = 'Study', Query = { PatientID = '*' }, Expand = true }, true)))
  note('found', #found, found[1].Type)
  note('stable', SetStableStatus(studyId, true), SetStableStatus('nothing', true))
  note('statistics', ParseJson(RestApiGet('/statistics')).CountStudies)
  note('series', #ParseJson(RestApiGet('/studies/' .. studyId .. '/series')), ParseJson(RestApiGet('/system')).ApiVersion > 20)
  note('headers', RestApiGet('/studies/' .. studyId .. '/instances-tags?simplify', false, { Accept = 'application/json' }) ~= nil)
end

function OnStableSeries(seriesId, tags, metadata)
  note('series', tags.SeriesDescription, tags.Modality, tags.PatientID)
end

function OnStablePatient(patientId, tags, metadata)
  note('patient', tags)
end
