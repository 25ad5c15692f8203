-- Asks a RIS over HTTP about what arrives, tells it of what is complete, and keeps what it said.

local RIS = 'URL'
local HEADERS = { ['Content-Type'] = 'application/json', ['X-Site'] = 'north' }

function Initialize()
  SetHttpTimeout(10)
  note('none', HttpGet('http://127.0.0.1:1/nothing'))
end

function OnStoredInstance(instanceId, tags, metadata, origin)
  SetHttpCredentials('alice', 'secret')
  local message = {}
  message['patient'] = tags['PatientID']
  message['accession'] = tags['AccessionNumber'] or ''
  message['count'] = 3
  message['keys'] = { 'a', 'b' }
  local body = HttpPost(RIS .. 'orders', DumpJson(message, true), HEADERS)
  local answer = ParseJson(body)
  note('answer', body, answer and answer['order'], answer and answer['list'][1], answer and answer.nothing)
  if answer and answer['order'] then
    local study = ParseJson(RestApiGet('/instances/' .. instanceId .. '/study'))['ID']
    note('metadata', RestApiPut('/studies/' .. study .. '/metadata/1024', tostring(answer['order'])))
    note('attachment', RestApiPut('/studies/' .. study .. '/attachments/1030', body))
    note('label', RestApiPut('/studies/' .. study .. '/labels/ordered', ''))
    note('unknown', RestApiPut('/studies/nothing/labels/ordered', ''))
    note('back', RestApiGet('/studies/' .. study .. '/metadata/1024'), #ParseJson(RestApiGet('/studies/' .. study .. '/labels')))
    note('values', StoreKeyValue('orders', study, body) == body, GetKeyValue('orders', study) == body, GetKeyValue('orders', 'x'))
  end
  note('get', HttpGet(RIS .. 'missing'), HttpGet(RIS .. 'plain', { Accept = 'text/plain' }))
  note('put', HttpPut(RIS .. 'orders/5', 'text'))
  note('delete', HttpDelete(RIS .. 'orders/5'))
  SetHttpCredentials('', '')
  note('binary', #HttpGet(RIS .. 'binary'))
end

function OnUpdatedStudy(id)
  note('updated', ParseJson(RestApiGet('/studies/' .. id .. '/metadata')))
end
