-- Writes what arrives to a folder of its own, with a table of it, and calls programs.

local TARGET = 'FOLDER/out'

local function ToAscii(s)
  return s:gsub('[^%w%-_%. ]', '_'):gsub('%s+$', '')
end

function Initialize()
  local code, how, number = os.execute('mkdir -p "' .. TARGET .. '"')
  note('mkdir', code, how, number)
  local pipe = io.popen('echo one; echo two')
  for line in pipe:lines() do note('line', line) end
  note('closed', pipe:close())
  note('failed', os.execute('exit 3'))
  note('shell', os.execute())
  note('none', io.open(TARGET .. '/none/none', 'r'))
  note('clock', type(os.time()), os.date('!%Y-%m-%d', 0), type(os.clock()), os.getenv('NO_SUCH_VARIABLE'))
  note('version', _VERSION, math.type(3), math.type(3.0), 7 // 2, 7 / 2, 3 & 5, #'a\u{e9}')
end

function OnStoredInstance(instanceId, tags, metadata)
  if tags.Modality ~= 'CT' then return end
  local patient = ParseJson(RestApiGet('/instances/' .. instanceId .. '/patient')).MainDicomTags
  local study = ParseJson(RestApiGet('/instances/' .. instanceId .. '/study')).MainDicomTags
  local path = TARGET .. '/' .. ToAscii(patient['PatientID'] .. ' - ' .. patient['PatientName'])
    .. '/' .. ToAscii(study['StudyDate'] .. ' - ' .. (study['StudyDescription'] or ''))
  os.execute('mkdir -p "' .. path .. '"')
  local dicom = RestApiGet('/instances/' .. instanceId .. '/file')
  local target = assert(io.open(path .. '/' .. instanceId .. '.part', 'wb'))
  target:write(dicom)
  target:close()
  note('renamed', os.rename(path .. '/' .. instanceId .. '.part', path .. '/' .. instanceId .. '.dcm'))
  local list = io.open(TARGET .. '/list.csv', 'a')
  list:write(string.format('%s;%s;%d;%5.2f\n', tags.PatientID, tags.Modality, #dicom, tonumber(tags.SliceThickness or '1')))
  list:close()
  note('written', #dicom, metadata.TransferSyntax, dicom:sub(129, 132), string.byte(dicom, 133))
  note('missing', os.remove(TARGET .. '/nothing'))
  CallSystem(instanceId, 'sh', { '-c', 'echo "$0 $1" >> FOLDER/out/called; wc -c < "$2" >> FOLDER/out/called', 'argument', 5 })
  note('bounced', pcall(function() local a = nil; return a.b end))
end

function OnDeletedStudy(id)
  note('gone', RestApiGet('/studies/' .. id))
  os.execute('rm -r "' .. TARGET .. '/list.csv"')
end
