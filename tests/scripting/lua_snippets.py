"""Short scripts that print, for both servers: `$ID` is an instance."""

ALIKE = (
    "print(1, 'a', nil, true, 1.5, 10/2, 1e100, {} ~= nil)",
    "print()",
    "print(nil)",
    "print('a\\0b')",
    "print('a\\nb')",
    "error('abc')",
    "error()",
    "error({})",
    "error(5)",
    "error(true)",
    "x =",
    "local a = nil; a.b = 1",
    "\nerror('line2')",
    "for i=1,3 do print(i) end error('after')",
    "return 5",
    "print(arg)",
    "print(pcall(error, 'x'))",
    "x = 5",
    "print(x)",
    "os.remove = nil print(os.remove)",
    "print(os.remove)",
    # JSON
    "print(DumpJson({1,2,3}), DumpJson({}), DumpJson({a=1}), DumpJson({1,2,a=3}), DumpJson(nil))",
    "print(DumpJson('007'), DumpJson('007',true), DumpJson('1.50'), DumpJson('abc'))",
    "print(DumpJson(1.5), DumpJson(1e20), DumpJson(2^31), DumpJson(true), DumpJson({[2]=1}))",
    "print(DumpJson({nil,2}), DumpJson(-0.0), DumpJson('1e3'), DumpJson(' 5'), DumpJson('0x10'))",
    "print(DumpJson({['x']='1', ['y']={'2','b'}, [1.5]='q'}))",
    "print(DumpJson(print), DumpJson({print}), DumpJson({a=print,b=1}))",
    "print(DumpJson(12345678901234), DumpJson('12345678901234'), DumpJson(3000000000))",
    "print(DumpJson('99999999999999999999'), DumpJson(0.1), DumpJson(1/3), DumpJson(1/0))",
    "print(DumpJson('é'), DumpJson('a\\nb\"\\\\/\\t\\1'), DumpJson('a\\255b'), DumpJson('\\127'))",
    "print(DumpJson('A\\u{20ac}\\u{1F600}'), DumpJson('<>&'), DumpJson(''), DumpJson('', true))",
    "print(DumpJson(), DumpJson(1,2,3))",
    "print(DumpJson(2147483647), DumpJson(-2147483648), DumpJson(-2147483649), DumpJson(1e15))",
    "print(DumpJson(1e16), DumpJson(1e17), DumpJson(123456.789), DumpJson(5e-5), DumpJson(0/0))",
    "print(DumpJson('nan'), DumpJson('inf'), DumpJson('5 '), DumpJson('1_0'), DumpJson(5, true))",
    "print(DumpJson({'1','x'}, true), DumpJson({{1},{a={}}, 'q'}), DumpJson(true, true))",
    *(
        f"local v = ParseJson('{text}') print(v, math.type(v))"
        for text in (
            *("1", "1.0", "1e2", "-0", "0.1", "2147483648", "-2147483649", "4294967295"),
            *("4294967296", "123456789012345678901234567890", "true", "null", "bad", ""),
        )
    ),
    'local j = ParseJson(\'{"a":[1,2,{"b":null}],"c":true}\') print(#j.a, j.a[1], j.a[3].b, j.c)',
    "print(ParseJson('\"\\\\u00e9\"'), ParseJson('{\"a\":1,\"a\":2}').a, ParseJson('[null,1]')[2])",
    "print(type(ParseJson('{} x')), type(ParseJson('// c\\n{}')), type(ParseJson('{\"a\":1,}')))",
    "print(ParseJson(), ParseJson(5), ParseJson(\"{'a':1}\"))",
    "PrintRecursive({1,'a',{x={y={}}},true})",
    "PrintRecursive(5) PrintRecursive('a') PrintRecursive(nil) PrintRecursive(true)",
    # Libraries
    "print(math.pow(2,3), math.log10(100), math.cosh(1), math.sinh(1), math.tanh(1))",
    "print(math.ldexp(1,3), math.frexp(8)) print(math.frexp(0.3)) print(math.frexp(-5))",
    "print(math.frexp(0)) print(math.atan2(1, 2), math.mod, table.getn, unpack, loadstring)",
    "print(bit32.band(7,2), bit32.band(), bit32.bor(1,2,4), bit32.bxor(7,2), bit32.bnot(0))",
    "print(bit32.lshift(1,31), bit32.lshift(1,32), bit32.rshift(-1,28), bit32.lshift(8,-2))",
    "print(bit32.arshift(-8,1), bit32.arshift(-8,40), bit32.arshift(8,-1), bit32.btest(1,2))",
    "print(bit32.lrotate(0x80000001,1), bit32.rrotate(1,1), bit32.extract(0xff0,4,8))",
    "print(bit32.replace(0,0xff,4,4), bit32.extract(3,1), bit32.band(2^32+5, 7), bit32.bnot(-1))",
    "print((pcall(bit32.extract, 1, 30, 5)), (pcall(bit32.band, 1.5)))",
    "print(string.pack ~= nil, utf8.len('é'), 3//2, 7 & 3, 'a'..1, _VERSION)",
    "print(string.format('%5.2f %q', 1.5, 'a\"b'), tostring(1e15), 2^53, -1/0)",
    "coroutine.wrap(function() print('in co', RestApiGet('/system') ~= nil) end)()",
    # REST
    "print(RestApiGet('/nope'), RestApiGet('/system') ~= nil, RestApiGet(), RestApiGet(5))",
    "print(RestApiGet('/system', true) ~= nil, RestApiGet('system'), RestApiGet('//instances'))",
    "print(RestApiGet('/instances/$ID/metadata/Origin'))",
    "print(RestApiPut('/instances/$ID/metadata/1024','x'))",
    "print(RestApiGet('/instances/$ID/metadata/1024'))",
    "print(RestApiDelete('/instances/$ID/metadata/1024'), RestApiDelete('/nope'))",
    "print(#RestApiGet('/instances/$ID/file'), RestApiPost('/tools/find'))",
    "print(RestApiPost('/tools/find','x'), RestApiPut('/x','y'), RestApiPut())",
    'print(#ParseJson(RestApiPost(\'/tools/find\',\'{"Level":"Study","Query":{}}\')))',
    "print(ParseJson(RestApiGet('/instances/$ID/tags?simplify')).PatientName)",
    "print(RestApiGet('/instances/$ID/content/0010-0010'), RestApiPost('/instances', 'bad'))",
    "print(RestApiPost('/tools/lookup', 5) ~= nil, RestApiPost('/tools/lookup', {}))",
    "print(RestApiPost('/tools/execute-script', 'print(5)'))",
    # HTTP
    "print(HttpGet('http://127.0.0.1:1/'), HttpPost('http://127.0.0.1:1/', 'x'), HttpGet())",
    "print(SetHttpCredentials('a','b'), SetHttpTimeout(5))",
    "print(SetHttpTimeout('x'), SetHttpCredentials('a'))",
    "print(GetOrthancConfiguration().StableAge, GetOrthancConfiguration().Name)",
    # Key-value stores
    "print(StoreKeyValue('s','k','v'), GetKeyValue('s','k'), GetKeyValue('s','z'))",
    "print(DeleteKeyValue('s','k'), DeleteKeyValue('s','z'), GetKeyValue('s','k'))",
    "print(StoreKeyValue('s','k',''), GetKeyValue('s','k'), StoreKeyValue('s'), GetKeyValue())",
    "print(StoreKeyValue('s','k',5), GetKeyValue('s','k'))",
    # Stability
    "print(SetStableStatus('x', true), SetStableStatus('$ID', true), SetStableStatus())",
    "print(SetStableStatus('$STUDY', false), SetStableStatus('$STUDY', true))",
    "print(SetStableStatus('$STUDY', true), SetStableStatus('$STUDY', 'x'))",
    # Routing, as far as it can be seen without doing it
    *(
        f"_InitializeJob() {call} print(DumpJson(_AccessJob()))"
        for call in (
            "print(ModifyInstance('$ID',{PatientName='a'},{'PatientID'},true))",
            "print(CallSystem('$ID','ls',{'a',5})) print(SendToModality('$ID','x','LOCAL'))",
            "print(Delete(SendToModality(ModifyInstance('$ID',{PatientName='a'}),'x')))",
            "print(ModifyResource('$ID', {PatientName='a'}, {}, false)) print(Delete('$ID'))",
            "print(SendToPeer('$ID','y')) print(ModifyInstance('$ID'))",
        )
    ),
)

# The same but for the lines of the functions themselves.
FAULTS = (
    "_InitializeJob() ModifyInstance('', {}, {}, false)",
    "_InitializeJob() ModifyInstance(nil, {}, {}, false)",
    "_InitializeJob() SendToModality(nil, 'x')",
    "_InitializeJob() SendToPeer(nil, 'x')",
    "_InitializeJob() Delete(nil)",
    "_InitializeJob() CallSystem(nil, 'ls')",
    "_job = nil SendToModality('$ID', 'x')",
    "print(HttpDelete('http://127.0.0.1:1/'))",
)
