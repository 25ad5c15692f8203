"""Calls the functions of the module one by one and serves what came of each at /results.

A line of CASES is an expression; what it gives, or the exception it ends in, is compared with what the same script
gets from Orthanc. Names that begin with an underscore are made here before.
"""

import base64
import hashlib
import json

import orthanc

# Imported as a module of its own name, beside its siblings.
import sibling

_AT_IMPORT = {
    "name": __name__,
    "sibling": sibling.ANSWER,
    "is module": type(orthanc).__name__,
}


def _shown(value):
    if isinstance(value, (bytes, bytearray)):
        if len(value) < 200:
            return "bytes:" + base64.b64encode(bytes(value)).decode()
        return "bytes of %d: %s" % (len(value), hashlib.sha1(bytes(value)).hexdigest())
    if isinstance(value, dict):
        return {str(key): _shown(each) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [type(value).__name__] + [_shown(each) for each in value]
    if value is None or isinstance(value, (str, int, float)):
        return value
    return "object of " + type(value).__name__


def _result(expression):
    try:
        return _shown(eval(expression, globals()))
    except Exception as error:
        return {"raised": type(error).__name__, "args": [_shown(each) for each in error.args]}


# What a script says of tags, when it is imported.
DEFINED = [
    "orthanc.RegisterDictionaryTag(0x7008, 0x10, orthanc.ValueRepresentation.LO, 'MyPublic', 1, 1)",
    "orthanc.RegisterDictionaryTag(0x7008, 0x11, orthanc.ValueRepresentation.SQ, 'MySequence', 1, 0)",
    "orthanc.RegisterDictionaryTag(0x7008, 0x12, orthanc.ValueRepresentation.US, 'MyNumber', 1, -1)",
    "orthanc.RegisterDictionaryTag(0x7008, 0x14, orthanc.ValueRepresentation.LO, 'PatientName', 1, 1)",
    "orthanc.RegisterDictionaryTag(0x7008, 0x15, orthanc.ValueRepresentation.LO, 'Two words', 3, 5)",
    "orthanc.RegisterDictionaryTag(0x7008, 0x10, orthanc.ValueRepresentation.LO, 'Again', 1, 1)",
    "orthanc.RegisterDictionaryTag(0x10, 0x10, orthanc.ValueRepresentation.LO, 'Again', 1, 1)",
    "orthanc.RegisterDictionaryTag(0x7008, 0x16, 0, 'NoRepresentation', 1, 1)",
    "orthanc.RegisterDictionaryTag(0x7008, 0x16, 99, 'NoRepresentation', 1, 1)",
    "orthanc.RegisterDictionaryTag(0x7008, 0x16, orthanc.ValueRepresentation.LO, 'NoNumber', 2, 1)",
    "orthanc.RegisterDictionaryTag(0x7008, 0x16, orthanc.ValueRepresentation.LO, 'NoNumber', 0, 1)",
    "orthanc.RegisterDictionaryTag(0x7008, 0x16, 'LO', 'NoNumber', 1, 1)",
    "orthanc.RegisterDictionaryTag(0x13, 0x1003, orthanc.ValueRepresentation.LO, 'OddPublic', 1, 1)",
    "orthanc.RegisterPrivateDictionaryTag(0x4011, 0x1001, orthanc.ValueRepresentation.LO, 'MyPrivate', 1, 1, 'ME')",
    "orthanc.RegisterPrivateDictionaryTag(0x4011, 0x1001, orthanc.ValueRepresentation.LO, 'Again', 1, 1, 'ME')",
    "orthanc.RegisterPrivateDictionaryTag(0x4011, 0x1001, orthanc.ValueRepresentation.LO, 'Yours', 1, 1, 'YOU')",
    "orthanc.RegisterPrivateDictionaryTag(0x4011, 2, orthanc.ValueRepresentation.LO, 'LowPrivate', 1, 1, 'ME')",
    "orthanc.RegisterPrivateDictionaryTag(0x4010, 0x1001, orthanc.ValueRepresentation.LO, 'Even', 1, 1, 'ME')",
    "orthanc.RegisterPrivateDictionaryTag(0x4013, 0x1002, orthanc.ValueRepresentation.LO, 'NoCreator', 1, 1, '')",
]
_AT_IMPORT["defined"] = [_result(each) for each in DEFINED]


def _image(pixel_format, width, height):
    size = {1: 1, 2: 2, 3: 2, 4: 3, 5: 4, 7: 6, 10: 4}[pixel_format]
    data = bytes((7 * number) % 256 for number in range(width * height * size))
    return orthanc.CreateImageFromBuffer(pixel_format, width, height, width * size, data)


def _converted(old, new):
    image = _image(old, 4, 2).ConvertPixelFormat(new)
    return (
        image.GetImagePixelFormat(),
        image.GetImageWidth(),
        image.GetImagePitch(),
        image.GetImageBuffer(),
    )


_TAGS = {
    "PatientID": "P1",
    "PatientName": "Doe^Jane",
    "StudyInstanceUID": "1.2.3",
    "SeriesInstanceUID": "1.2.3.4",
    "SOPInstanceUID": "1.2.3.4.5",
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7",
    "StudyDescription": "x" * 300,
    "0008,0060": "OT",
    "ReferencedStudySequence": [
        {"ReferencedSOPInstanceUID": "1.2", "ReferencedSOPClassUID": "1.3"}
    ],
}


_OWN_TAGS = {
    "PatientID": "P2",
    "StudyInstanceUID": "1.2.5",
    "SeriesInstanceUID": "1.2.5.4",
    "SOPInstanceUID": "1.2.5.4.5",
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7",
    "MyPublic": "public",
    "MyNumber": "7",
    "MySequence": [{"MyPublic": "nested"}],
}


def _members(data, form=1, flags=0x1F, longest=0):
    return json.loads(orthanc.DicomBufferToJson(data, form, flags, longest))


def _stored():
    return json.loads(orthanc.RestApiGet("/instances"))[0]


def _tags_only(members):
    """Without what is made anew at every call."""
    return {
        name: value for name, value in members.items() if "Date" not in name and "Time" not in name
    }


def _queue():
    found = []
    for value in (b"1", b"2", b"3"):
        orthanc.EnqueueValue("queue", value)
    found.append(orthanc.GetQueueSize("queue"))
    value, number = orthanc.ReserveQueueValue("queue", orthanc.QueueOrigin.FRONT, 60)
    found.append((value, type(number).__name__, orthanc.GetQueueSize("queue")))
    found.append(orthanc.DequeueValue("queue", orthanc.QueueOrigin.FRONT))
    found.append(orthanc.DequeueValue("queue", orthanc.QueueOrigin.BACK))
    found.append(orthanc.DequeueValue("queue", orthanc.QueueOrigin.BACK))
    found.append(orthanc.AcknowledgeQueueValue("queue", number))
    found.append(orthanc.GetQueueSize("queue"))
    found.append(orthanc.ReserveQueueValue("queue", orthanc.QueueOrigin.FRONT, 60))
    return found


def _walk(store):
    for key in ("b", "a", "c", "\u00e9"):
        orthanc.StoreKeyValue(store, key, key + "!")
    iterator = orthanc.CreateKeysValuesIterator(store)
    found = []
    while iterator.Next():
        found.append((iterator.GetKey(), iterator.GetValue()))
    return found


def _png(pixel_format):
    image = _image(pixel_format, 4, 2)
    data = orthanc.CompressPngImage(
        pixel_format, 4, 2, image.GetImagePitch(), image.GetImageBuffer()
    )
    back = orthanc.UncompressImage(data, orthanc.ImageFormat.PNG)
    return back.GetImagePixelFormat(), back.GetImageBuffer()


def _decoded(data, frame):
    image = orthanc.DecodeDicomImage(data, frame)
    return (
        image.GetImagePixelFormat(),
        image.GetImageWidth(),
        image.GetImageHeight(),
        image.GetImageBuffer(),
    )


def _instance(data):
    instance = orthanc.CreateDicomInstance(data)
    return [
        instance.GetInstanceSize() == len(data),
        instance.GetInstanceData() == data,
        instance.GetInstanceFramesCount(),
        instance.GetInstanceTransferSyntaxUid(),
        instance.HasInstancePixelData(),
        json.loads(instance.GetInstanceSimplifiedJson()),
        json.loads(instance.GetInstanceAdvancedJson(2, 0, 10)),
    ]


def _loaded(mode):
    """What is the same whoever has written the file."""
    instance = orthanc.LoadDicomInstance(_stored(), mode)
    data = instance.GetInstanceData()
    return [
        instance.GetInstanceOrigin(),
        instance.GetInstanceRemoteAet(),
        instance.HasInstancePixelData(),
        instance.GetInstanceFramesCount(),
        instance.GetInstanceTransferSyntaxUid(),
        instance.GetInstanceMetadata("TransferSyntax"),
        len(data) == instance.GetInstanceSize(),
        data[-12:],
        json.loads(instance.GetInstanceJson()),
    ]


def _attachment(kind="dicom"):
    path = "/instances/%s/attachments/%s/info" % (_stored(), kind)
    return json.loads(orthanc.RestApiGet(path))["Uuid"]


def _custom_data_of_what_is_deleted():
    path = "/instances/%s/attachments/1030" % _stored()
    orthanc.RestApiPut(path, "content")
    attachment = _attachment(1030)
    orthanc.SetAttachmentCustomData(attachment, "data")
    found = [orthanc.GetAttachmentCustomData(attachment)]
    orthanc.RestApiDelete(path)
    return [*found, _result("orthanc.GetAttachmentCustomData(%r)" % attachment)]


def _upload():
    with open(sibling.FILE, "rb") as file:
        return sorted(json.loads(orthanc.RestApiPost("/instances", file.read())))


CASES = [
    # Arguments
    "orthanc.LogInfo()",
    "orthanc.LogInfo(1)",
    "orthanc.LogInfo('a', 'b')",
    "orthanc.LogInfo('a')",
    "orthanc.LogMessage('a', 'plugin', 'file', 3, 1, 2)",
    "orthanc.RestApiPost('/instances')",
    "orthanc.RestApiGet(b'/instances')",
    "orthanc.GetErrorDescription(17)",
    "orthanc.GetErrorDescription(2038)",
    "orthanc.CheckVersion()",
    "orthanc.CheckVersionAdvanced(1, 12, 0)",
    "orthanc.CheckVersionAdvanced(9, 0, 0)",
    "len(orthanc.GenerateUuid())",
    "type(orthanc.GetCommandLineArgumentsCount()).__name__",
    "json.loads(orthanc.GetConfiguration())['Name']",
    "'StableAge' in json.loads(orthanc.GetConfiguration())",
    "orthanc.GenerateRestApiAuthorizationToken()[:7]",
    "len(orthanc.GenerateRestApiAuthorizationToken())",
    "orthanc.OrthancException.__mro__[1].__name__",
    "orthanc.ChangeType.STABLE_STUDY + 1",
    "orthanc.ResourceType.NONE",
    "orthanc.RestOutput()",
    # REST
    "_upload()",
    "json.loads(orthanc.RestApiGet('/system'))['ApiVersion']",
    "orthanc.RestApiGet('/nope')",
    "orthanc.RestApiGet('/instances/nope')",
    "orthanc.RestApiGet('nope')",
    "orthanc.RestApiPost('/instances', b'nope')",
    "orthanc.RestApiPost('/tools/find', '{')",
    "json.loads(orthanc.RestApiPost('/tools/find', json.dumps({'Level': 'Study', 'Query': {}})))",
    "orthanc.RestApiPut('/instances/' + _stored() + '/metadata/1030', 'text')",
    "orthanc.RestApiGet('/instances/' + _stored() + '/metadata/1030')",
    "orthanc.RestApiDelete('/instances/' + _stored() + '/metadata/1030')",
    "orthanc.RestApiGet('/instances/' + _stored() + '/metadata/1030')",
    "orthanc.RestApiGet('/results-of-another')",
    "orthanc.RestApiGet('/echo')",
    "orthanc.RestApiGetAfterPlugins('/echo')",
    "orthanc.RestApiPostAfterPlugins('/echo', b'\\x00body')",
    "orthanc.RestApiGet('/instances?limit=1')",
    "json.loads(orthanc.RestApiGet('/patients'))",
    # Database
    "orthanc.GetDicomForInstance(_stored())",
    "orthanc.GetDicomForInstance('nope')",
    "orthanc.LookupPatient('nope')",
    "orthanc.LookupStudy('nope')",
    "orthanc.LookupStudy(_members(orthanc.GetDicomForInstance(_stored()))['0020,000d']['Value'])",
    "orthanc.LookupInstance(_members(orthanc.GetDicomForInstance(_stored()))['0008,0018']['Value'])",
    "orthanc.LookupStudyWithAccessionNumber('nope')",
    "orthanc.GetGlobalProperty(1040, 'default')",
    "orthanc.SetGlobalProperty(1040, 'value')",
    "orthanc.GetGlobalProperty(1040, 'default')",
    "orthanc.SetGlobalProperty(12, 'value')",
    "orthanc.GetGlobalProperty(12, 'default')",
    "orthanc.SetStableStatus('nope', orthanc.StableStatus.STABLE)",
    "orthanc.SetStableStatus(json.loads(orthanc.RestApiGet('/studies'))[0], orthanc.StableStatus.STABLE)",
    "orthanc.SetStableStatus(json.loads(orthanc.RestApiGet('/studies'))[0], orthanc.StableStatus.STABLE)",
    "json.loads(orthanc.RestApiGet('/studies?expand'))[0]['IsStable']",
    "orthanc.SetStableStatus(json.loads(orthanc.RestApiGet('/studies'))[0], orthanc.StableStatus.UNSTABLE)",
    "json.loads(orthanc.RestApiGet('/studies?expand'))[0]['IsStable']",
    "orthanc.GetAttachmentCustomData('nope')",
    "orthanc.SetAttachmentCustomData('nope', b'x')",
    "orthanc.GetAttachmentCustomData('../../index')",
    "orthanc.GetAttachmentCustomData(_attachment())",
    "orthanc.SetAttachmentCustomData(_attachment(), b'\\x00data')",
    "orthanc.GetAttachmentCustomData(_attachment())",
    "orthanc.SetAttachmentCustomData(_attachment(), 'text')",
    "orthanc.GetAttachmentCustomData(_attachment())",
    "orthanc.SetAttachmentCustomData(_attachment(), None)",
    "orthanc.GetAttachmentCustomData(_attachment())",
    "_custom_data_of_what_is_deleted()",
    # Key-value stores and queues
    "orthanc.GetKeyValue('store', 'absent')",
    "orthanc.StoreKeyValue('store', 'key', b'\\x00\\x01')",
    "orthanc.GetKeyValue('store', 'key')",
    "orthanc.StoreKeyValue('store', 'key', '')",
    "orthanc.StoreKeyValue('store', 'key', None)",
    "orthanc.DeleteKeyValue('store', 'absent')",
    "orthanc.DeleteKeyValue('store', 'key')",
    "orthanc.GetKeyValue('store', 'key')",
    "_walk('walked')",
    "orthanc.EnqueueValue('other', b'')",
    "_queue()",
    "orthanc.GetQueueSize('absent')",
    "orthanc.DequeueValue('absent', orthanc.QueueOrigin.FRONT)",
    "orthanc.AcknowledgeQueueValue('queue', 12345)",
    # DICOM
    "_members(orthanc.CreateDicom(json.dumps(_TAGS), None, 0))",
    "_members(orthanc.CreateDicom(json.dumps(_TAGS), None, 0), 2, 0x1F, 256)",
    "_members(orthanc.CreateDicom(json.dumps(_TAGS), None, 0), 3, 0, 0)",
    "_members(orthanc.CreateDicom(json.dumps(_TAGS), None, 0), 4, 0, 0)",
    "sorted(_members(orthanc.CreateDicom('{}', None, 2), 2))",
    "sorted(_members(orthanc.CreateDicom('{}', None, 0), 2))",
    "_members(orthanc.CreateDicom(json.dumps({'PatientName': 'M\\u00fcller'}), None, 0), 2)",
    "_members(orthanc.CreateDicom(json.dumps({'PatientName': 'M\\u00fcller', 'SpecificCharacterSet': 'ISO_IR 192'}),"
    " None, 0), 2)",
    "_tags_only(_members(orthanc.CreateDicom(json.dumps(_TAGS), _image(1, 4, 2), 0), 3, 0x1F, 0))",
    "_tags_only(_members(orthanc.CreateDicom(json.dumps(_TAGS), _image(4, 4, 2), 0), 3, 0x1F, 0))",
    "_tags_only(_members(orthanc.CreateDicom(json.dumps(_TAGS), _image(2, 4, 2), 0), 3, 0x1F, 0))",
    "orthanc.CreateDicom('{', None, 0)",
    "orthanc.CreateDicom('[]', None, 0)",
    "orthanc.CreateDicom(json.dumps({'Nope': 'x'}), None, 0)",
    "orthanc.CreateDicom('{}', 'no image', 0)",
    "orthanc.DicomBufferToJson(b'nope', 1, 0, 0)",
    "[sorted(_members(_file, 2, 1 << bit)) for bit in range(8)]",
    "_members(_file, 2, 0)",
    "_members(_file, 3, 0x3F, 256)",
    "_members(_file, 2, 0x2F, 0)",
    "_members(_file, 1, 0x27, 16)",
    "_instance(_file)",
    "_decoded(_file, 0)",
    "_decoded(_file, 1000)",
    "orthanc.CreateDicomInstance(b'nope')",
    "orthanc.TranscodeDicomInstance(_file, '1.2.840.10008.1.2.1').GetInstanceTransferSyntaxUid()",
    "orthanc.TranscodeDicomInstance(_file, '1.2.3')",
    *(f"_loaded({mode})" for mode in (1, 2, 3)),
    "orthanc.LoadDicomInstance(_stored(), 4)",
    "orthanc.LoadDicomInstance('nope', 3)",
    "orthanc.CreateFindMatcher(orthanc.CreateDicom(json.dumps({'PatientID': '*'}), None, 0)).IsMatch(_file)",
    "orthanc.CreateFindMatcher(orthanc.CreateDicom(json.dumps({'PatientID': 'nope'}), None, 0)).IsMatch(_file)",
    "orthanc.LookupDictionary('PatientName')",
    "orthanc.LookupDictionary('0010-0010')",
    "orthanc.LookupDictionary('00080018')",
    "orthanc.LookupDictionary('ImageType')",
    "orthanc.LookupDictionary('PixelSpacing')",
    "orthanc.LookupDictionary('Nope')",
    "orthanc.GetTagName(0x10, 0x20, '')",
    "orthanc.GetTagName(0x11, 0x20, '')",
    *(
        f"orthanc.LookupDictionary({name!r})"
        for name in (
            *("MyPublic", "7008,0010", "MySequence", "MyNumber", "PatientName", "Two words"),
            *("7008-0014", "Again", "OddPublic", "MyPrivate", "4011,1001", "NoCreator"),
        )
    ),
    *(
        f"orthanc.GetTagName({tag[0]}, {tag[1]}, {creator!r})"
        for tag in (
            (0x7008, 0x10),
            (0x7008, 0x14),
            (0x13, 0x1003),
            (0x4011, 0x1001),
            (0x4011, 0x1002),
        )
        for creator in ("", "ME", "YOU", "NOBODY")
        if creator != "NOBODY" or tag[0] & 1
    ),
    "_tags_only(_members(orthanc.CreateDicom(json.dumps(_OWN_TAGS), None, 0), 2))",
    "_tags_only(_members(orthanc.CreateDicom(json.dumps(_OWN_TAGS), None, 0), 3))",
    # Images
    "orthanc.CreateImage(99, 1, 1)",
    "orthanc.CreateImageFromBuffer(1, 4, 2, 4, b'short')",
    "[_converted(old, new) for old, new in ((1, 4), (4, 1), (2, 1), (3, 1), (1, 2), (1, 3), (4, 10))]",
    "[_png(each) for each in (1, 2, 4)]",
    "orthanc.GetFontName(1000)",
    "orthanc.GetFontSize(1000)",
    "orthanc.UncompressImage(b'nope', orthanc.ImageFormat.PNG)",
    "orthanc.CompressJpegImage(1, 4, 2, 4, bytes(8), 90)[:3]",
    # Others
    "orthanc.ComputeMd5(b'hello')",
    "orthanc.ComputeSha1('hello')",
    "orthanc.AutodetectMimeType('a.png')",
    "orthanc.AutodetectMimeType('a.nope')",
    "orthanc.BufferCompression(orthanc.BufferCompression(b'hello' * 10, 1, 0), 1, 1)",
    "orthanc.BufferCompression(orthanc.BufferCompression(b'hello' * 10, 2, 0), 2, 1)",
    "orthanc.BufferCompression(orthanc.BufferCompression(b'hello' * 10, 3, 0), 3, 1)",
    "orthanc.BufferCompression(b'hello', 0, 0)",
    "orthanc.BufferCompression(orthanc.BufferCompression(b'hello', 0, 0), 0, 1)",
    "orthanc.BufferCompression(b'hello', 9, 0)",
    "orthanc.ReadFile('/nope/nope')",
    "orthanc.WriteFile('/nope/nope', b'x')",
    "orthanc.ReadFile(sibling.FILE) == _file",
    "orthanc.SetMetricsValue('script_float', 1.5, orthanc.MetricsType.DEFAULT)",
    "orthanc.SetMetricsIntegerValue('script_int', 7, orthanc.MetricsType.DEFAULT)",
    "b'script_float 1.5' in orthanc.RestApiGet('/tools/metrics-prometheus')",
    "b'script_int 7' in orthanc.RestApiGet('/tools/metrics-prometheus')",
    "orthanc.EmitAuditLog('source', 'user', 0, 'id', 'action', b'')",
    "orthanc.SetDescription('text')",
    "orthanc.SetRootUri('/app')",
    "orthanc.GetPeers().GetPeersCount()",
    "orthanc.GetPeers().GetPeerName(0)",
    "orthanc.GetPeers().GetPeerUrl(0)",
    "orthanc.GetPeers().GetPeerUserProperty(0, 'Extra')",
    "orthanc.GetPeers().GetPeerUserProperty(0, 'Absent')",
    "orthanc.GetPeers().GetPeerName(5)",
    "orthanc.RegisterErrorCode(5000, 500, 'message')",
    "orthanc.HttpGet('http://127.0.0.1:1/nope', '', '')",
    "orthanc.HttpGet('http://127.0.0.1:1/nope', None, None)",
    "orthanc.GetExpectedDatabaseVersion()",
]


def _echo(output, uri, **request):
    output.AnswerBuffer(request.get("body", b"got"), "text/plain")


def _results(output, uri, **request):
    global _file
    with open(sibling.FILE, "rb") as file:
        _file = file.read()
    found = [("at import", _AT_IMPORT)] + [(case, _result(case)) for case in CASES]
    output.AnswerBuffer(json.dumps(found), "application/json")


def _late(output, uri, **request):
    orthanc.RegisterDictionaryTag(0x7008, 0x20, orthanc.ValueRepresentation.LO, "Late", 1, 1)
    output.AnswerBuffer("{}", "application/json")


orthanc.RegisterRestCallback("/late", _late)
orthanc.RegisterRestCallback("/echo", _echo)
orthanc.RegisterRestCallback("/results", _results)
