"""Patterns at random, and events aimed at them.

A pattern or event is made of Python values, but objects are lists of pairs (a
name may stand twice) and numbers keep their spelling.
"""
import json


class Number(str):
    """A number as it is written."""


class Object(list):
    """Pairs of a name and a value."""


NAMES = ["a", "b", "c", "d", "state", "a-b", "ü", " ", "prefix", "x.y", "a.b", "b.a.c", "\u20ac", "$", "A"]
TEXTS = ["", "a", "b", "ab", "abc", "aab", "aba", "abab", "ABC", "aBc", "Ab", "us-east-1", "us-east-2", "us-", ".png",
         "image.png", "IMAGE.PNG", "*", "a*b", "\\", "a\\b", "ß", "SS", "ss", "é", "É", "e\u0301", "\u00fc", "\u0130", "\u0131",
         "i", "I", "\u212a", "k", "K", "\u017f", "s", "S", "\u2126", "\u03c9", "\u03a9", "\u03c2", "\u03c3", "\u03a3", "\u2c65", "\u023a",
         "\u01c4", "\u01c5", "\u01c6", "\U0001f600", "\U0001f601", "\U00010400", "\U00010428", "null", "true", "false", "300", "1", "0",
         "-1", "1.0", "1e2", "NaN", "a\u0000b", "\"", "\"a\"", "a\"", "\n", "\t", " ", "a ", "\u2028", "\ufeff", "\uffff", "\ud83d", "[\"a\"]",
         "{}", "10.0.0.1", "10.0.0.2", "0A000001", "10.0.0.256", "::1", "x" * 40, "x" * 39 + "y"]
ADDRESSES = ["10.0.0.1", "10.0.0.0", "10.0.0.255", "10.0.1.0", "10.255.255.255", "11.0.0.0", "9.255.255.255", "0.0.0.0",
             "255.255.255.255", "192.168.1.10", "192.168.1.1a", "10.0.0", "10.0.0.1.", "010.0.0.1", "10.00.0.01", "10.0.0.256",
             "::", "::1", "2001:db8::1", "2001:DB8:0:0:0:0:0:1", "2001:db8::ffff", "2001:db9::", "::ffff:10.0.0.1", "::ffff:a00:1",
             "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9", ":::", "1::2::3", ":", "fe80::1%eth0", "10.0.0.1 ", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]
BLOCKS = ["10.0.0.0/8", "10.0.0.0/24", "10.0.0.1/31", "10.0.0.77/25", "0.0.0.0/0", "192.168.0.0/16", "255.255.255.255/31",
          "10.0.0.0/9", "::/0", "2001:db8::/32", "2001:db8::1/127", "2001:db8::1234/113", "::ffff:10.0.0.0/24", "::ffff:a00:0/24"]
NUMBERS = ["0", "-0", "0.0", "0e5", "1", "1.0", "10e-1", "0.1e1", "100", "1e2", "1E2", "1e+2", "1.00e2", "99", "101", "300", "300.0", "3e2",
           "300.1", "299.9999", "-1", "-1.0", "-5", "-100", "0.1", "0.10", "1e-1", "0.3", "1e-7", "2.5", "5e9", "5000000000",
           "-5e9", "5000000001", "123456.789", "1234567890.123456", "1e15", "1e20", "1e300", "-1e300"]
# Some of them are no double.
HUGE = ["5e-324", "1e-400", "9007199254740993", "9007199254740992", "0.1000000000000000055", "1e400", "123456789012345678901", "1.00000000000000000001",
        "1.7976931348623157e308", "1.7976931348623159e308", "-1e400", "340282366920938463463374607431768211456"]

# What neither side may take, or one of them might: for the comparison of
# refusals.
BAD_ENTRIES = [
    '{"prefix":1}', '{"prefix":null}', '{"prefix":["a"]}', '{"prefix":{"wildcard":"a"}}', '{"prefix":{}}',
    '{"prefix":{"equals-ignore-case":1}}', '{"prefix":{"equals-ignore-case":"a","x":1}}', '{"prefix":{"equals-ignore-case":""}}',
    '{"prefix":""}', '{"suffix":""}', '{"suffix":{"equals-ignore-case":""}}', '{"equals-ignore-case":""}', '{"wildcard":""}',
    '{"suffix":1}', '{"suffix":{"prefix":"a"}}', '{"suffix":["a"]}', '{"equals-ignore-case":["a"]}', '{"equals-ignore-case":1}',
    '{"equals-ignore-case":null}', '{"exactly":"a"}', '{"exactly":1}', '{"exactly":["a"]}',
    '{"numeric":[]}', '{"numeric":[">"]}', '{"numeric":[">","1"]}', '{"numeric":["=",1,"<",2]}', '{"numeric":[">",5,"<",1]}',
    '{"numeric":[">",1,"<",1]}', '{"numeric":[">=",1,"<=",1]}', '{"numeric":["<",1,">",0]}', '{"numeric":["<",1,"<",2]}',
    '{"numeric":[">",1,"<",2,"<",3]}', '{"numeric":["!=",1]}', '{"numeric":["==",1]}', '{"numeric":[1]}', '{"numeric":["=",null]}',
    '{"numeric":["=",true]}', '{"numeric":">1"}', '{"numeric":{">":1}}', '{"numeric":[">",1,2]}', '{"numeric":[">",1,"<"]}',
    '{"numeric":["=",1],"exists":true}', '{"numeric":[">",-1e300,"<",1e300]}', '{"numeric":[">",1,"=",2]}',
    '{"exists":"true"}', '{"exists":null}', '{"exists":1}', '{"exists":[true]}', '{"exists":true,"prefix":"a"}',
    '{"anything-but":null}', '{"anything-but":[]}', '{"anything-but":[1,"a"]}', '{"anything-but":["a",1]}', '{"anything-but":true}',
    '{"anything-but":[true]}', '{"anything-but":[null]}', '{"anything-but":[["a"]]}', '{"anything-but":[{"prefix":"a"}]}',
    '{"anything-but":{"exists":true}}', '{"anything-but":{"prefix":""}}', '{"anything-but":{"suffix":""}}', '{"anything-but":{"prefix":[]}}',
    '{"anything-but":{"prefix":["a",""]}}', '{"anything-but":{"prefix":1}}', '{"anything-but":{"prefix":["a",1]}}',
    '{"anything-but":{"numeric":["=",1]}}', '{"anything-but":{"equals-ignore-case":1}}', '{"anything-but":{"equals-ignore-case":[1]}}',
    '{"anything-but":{"equals-ignore-case":[]}}', '{"anything-but":{"equals-ignore-case":""}}', '{"anything-but":{"wildcard":"a**"}}',
    '{"anything-but":{"wildcard":["a","b**"]}}', '{"anything-but":{"wildcard":[]}}', '{"anything-but":{"wildcard":1}}',
    '{"anything-but":{"prefix":{"equals-ignore-case":"a"}}}', '{"anything-but":{}}', '{"anything-but":{"prefix":"a","suffix":"b"}}',
    '{"anything-but":{"cidr":"10.0.0.0/8"}}', '{"anything-but":"a","prefix":"b"}', '{"anything-but":""}', '{"anything-but":[""]}',
    '{"wildcard":"a**b"}', '{"wildcard":"**"}', '{"wildcard":"a\\\\b"}', '{"wildcard":"\\\\"}', '{"wildcard":1}', '{"wildcard":["a*"]}',
    '{"wildcard":"a\\\\**"}', '{"wildcard":"*\\\\*"}', '{"cidr":"10.0.0.0"}', '{"cidr":"10.0.0.0/32"}', '{"cidr":"10.0.0.0/33"}', '{"cidr":"a/8"}',
    '{"cidr":"10.0.0/8"}', '{"cidr":"::/128"}', '{"cidr":"::/129"}', '{"cidr":"10.0.0.0/-1"}', '{"cidr":"10.0.0.0/+8"}', '{"cidr":"10.0.0.0/08"}',
    '{"cidr":"10.0.0.0/8/8"}', '{"cidr":"10.0.0.0/ 8"}', '{"cidr":"10.0.0.0/"}', '{"cidr":"/8"}', '{"cidr":8}', '{"cidr":["10.0.0.0/8"]}',
    '{"cidr":""}', '{"cidr":"10.0.0.256/8"}', '{"cidr":"010.0.0.0/8"}', '{"cidr":"1::2::3/8"}',
    '{"NUMERIC":["=",1]}', '{"Exists":true}', '{"Prefix":"a"}', '{"anythingBut":"a"}', '{"equals":"a"}', '{"$or":["a","b"]}', '{}', '[]',
    '["a"]', '[1]', '{"regex":"a"}']
BAD_LEAVES = ['"a"', '1', 'null', 'true', '{}', '[]', '[[]]', '[{}]', '[["a"]]', '["a",]', '[,]', '["a" "b"]', '["a"']
BAD_FIELDS = [
    '"$or":[]', '"$or":[{"a":["x"]}]', '"$or":{"a":["x"]}', '"$or":"a"', '"$or":["a","b"]', '"$or":[{},{}]', '"$or":[{"a":["x"]},{}]',
    '"$or":[{"prefix":["x"]},{"a":["y"]}]', '"$or":[{"a":["x"]},{"b":{"exists":["y"]}}]', '"$or":[{"a":["x"]},{"b":"y"}]',
    '"$or":[{"a":["x"]},{"=":["y"]}]', '"$or":[{"regex":["x"]},{"b":["y"]}]', '"$or":[{"a":["x"]},["b"]]', '"$or":null',
    '"$or":[{"a":["x"]},{"$or":[{"b":["x"]}]}]', '"$or":[{"a":["x"]},{"$or":[{"b":["x"]},{"c":["y"]}]}]',
    '"$or":[{"a":["x"]},null]', '"$OR":["a"]', '"$or":[{"a.b":["x"]},{"cidr":["y"]}]']
BROKEN = ['', '[]', '"a"', 'null', '1', '{', '{"a"', '{"a":', '{"a":["x"]', '{"a":["x"]}}', '{"a":["x"]} x', '{"a":["x"],}', "{'a':['x']}",
          '{a:["x"]}', '{"a":[x]}', '{"a":[01]}', '{"a":[1.]}', '{"a":[+1]}', '{"a":[.5]}', '{"a":[NaN]}', '{"a":["\\x"]}', '{"a":["\\u12"]}',
          '{"a":[tru]}', '{"a":["x"]}{"a":["x"]}', '{"a":["x"] /* c */}', '{}', '  {"a":["x"]}  ', '{"a":["\\ud800"]}', '{"a":[1e]}']


def name(rng):
    return rng.choice(NAMES) if rng.random() < 0.99 else ""


def text(rng):
    if rng.random() < 0.03:
        return chr(rng.choice([rng.randrange(0xa0, 0x600), rng.randrange(0x1e00, 0x2000), rng.randrange(0xfb00, 0xfb18)]))
    return rng.choice(TEXTS)


def number(rng):
    if rng.random() < 0.02:
        return Number(rng.choice(HUGE))
    return Number(rng.choice(NUMBERS))


def scalar(rng):
    kind = rng.random()
    if kind < 0.6:
        return text(rng)
    if kind < 0.85:
        return number(rng)
    return rng.choice([True, False, None])


# ---- patterns ----------------------------------------------------------------

def wildcard(rng):
    pieces = [rng.choice(["a", "b", "ab", "aba", "x", "", "\\*", "\\\\", "é", ".png", "\U0001f600", "\""]) for _ in range(rng.randint(1, 4))]
    joined = "*".join(piece for piece in pieces if piece)
    if rng.random() < 0.4 and not joined.startswith("*"):
        joined = "*" + joined
    if rng.random() < 0.4 and not joined.endswith("*"):
        joined += "*"
    return joined


def one_or_list(rng, make):
    if rng.random() < 0.5:
        return make(rng)
    return [make(rng) for _ in range(rng.randint(1, 3))]


def some_text(rng):
    return rng.choice([t for t in TEXTS if t])


def anything_but(rng):
    kind = rng.random()
    if kind < 0.35:
        return one_or_list(rng, text)
    if kind < 0.55:
        return one_or_list(rng, number)
    key, make = rng.choice([("prefix", some_text), ("suffix", some_text), ("equals-ignore-case", text), ("wildcard", wildcard)])
    return Object([(key, one_or_list(rng, make))])


def value_of(spelled):
    """For order only."""
    return float(spelled)


def numeric(rng):
    low, high = number(rng), number(rng)
    kind = rng.random()
    if kind < 0.2:
        return ["=", low]
    if kind < 0.6:
        return [rng.choice(["<", "<=", ">", ">="]), low]
    if value_of(low) > value_of(high):
        low, high = high, low
    return [rng.choice([">", ">="]), low, rng.choice(["<", "<="]), high]


def fold(rng):
    return Object([("equals-ignore-case", text(rng))])


OPERATORS = {
    "prefix": lambda rng: text(rng) if rng.random() < 0.6 else fold(rng),
    "suffix": lambda rng: text(rng) if rng.random() < 0.6 else fold(rng),
    "equals-ignore-case": text,
    "anything-but": anything_but,
    "numeric": numeric,
    "exists": lambda rng: rng.random() < 0.5,
    "wildcard": wildcard,
    "cidr": lambda rng: rng.choice(BLOCKS),
}


def entry(rng):
    kind = rng.random()
    if kind < 0.25:
        return scalar(rng)
    if kind < 0.28:
        return rng.choice(ADDRESSES)
    key = rng.choice(list(OPERATORS) + ["exists", "anything-but", "numeric"])
    return Object([(key, OPERATORS[key](rng))])


def entries(rng):
    count = rng.choice([1, 1, 1, 2, 3])
    return [entry(rng) for _ in range(count)]


def fields(rng, depth, taken=(), in_or=False):
    """`taken` are names that stand beside an $or, which its ways rarely use."""
    found = Object()
    for _ in range(rng.choice([1, 1, 1, 2, 2, 3])):
        key = name(rng)
        if key in taken or key in dict(found) and rng.random() < 0.98 or in_or and key == "prefix":
            continue
        if depth < 3 and rng.random() < [0.5, 0.4, 0.2][depth]:
            found.append((key, fields(rng, depth + 1, (), in_or)))
        else:
            found.append((key, entries(rng)))
    if not found:
        found.append(("z", entries(rng)))
    if depth < 3 and rng.random() < 0.12:
        beside = [key for key, _ in found] + list(taken) if rng.random() < 0.95 else ()
        ways = [fields(rng, depth + 1, beside, True) for _ in range(rng.randint(2, 3))]
        found.insert(rng.randint(0, len(found)), ("$or", ways))
    return found


# ---- events ------------------------------------------------------------------

def respell(rng, spelled):
    """The same number, or one next to it."""
    same = {"1": ["1.0", "10e-1", "1e0", "0.1E1", "1.000"], "300": ["300.0", "3e2", "30e1", "3.0E+2", "300.00000"],
            "100": ["1e2", "100.0", "1E2", "10e1"], "0": ["-0", "0.0", "0e9", "-0.0", "0e-9"], "0.1": ["0.10", "1e-1", "10e-2"]}
    kind = rng.random()
    if kind < 0.4:
        return spelled
    for group in same.values():
        if spelled in group:
            return Number(rng.choice(group))
    if spelled in same and kind < 0.8:
        return Number(rng.choice(same[spelled]))
    if "e" not in spelled and "E" not in spelled:
        return Number(rng.choice([spelled + "e0", spelled + ("0" if "." in spelled else ".0"), spelled + ("1" if "." in spelled else ".1")]))
    return number(rng)


def near(rng, wanted):
    """A text close to another."""
    kind = rng.randint(0, 9)
    if kind < 3 or not wanted:
        return wanted
    at = rng.randrange(len(wanted))
    return [wanted.swapcase(), wanted.upper(), wanted.lower(), wanted + text(rng), text(rng) + wanted, wanted[:at] + wanted[at + 1:],
            wanted[:at] + text(rng) + wanted[at:]][kind - 3]


def expand(rng, pattern):
    out, i = "", 0
    while i < len(pattern):
        if pattern[i] == "\\":
            i += 1
            out += pattern[i:i + 1]
        elif pattern[i] == "*":
            out += rng.choice(["", "", "a", "b", "ab", "x", "*", text(rng)])
        else:
            out += pattern[i]
        i += 1
    return out


def address_near(rng, block):
    base = block.split("/")[0]
    if ":" not in base and rng.random() < 0.5:
        parts = base.split(".")
        at = rng.randrange(4)
        parts[at] = str(min(255, max(0, int(parts[at]) + rng.choice([-1, 1, 0, 128, 255]))))
        return ".".join(parts)
    return rng.choice([base] + ADDRESSES)


def excluded(rng, wanted):
    if isinstance(wanted, Object):
        return excluded(rng, wanted[0][1])
    if isinstance(wanted, list):
        return excluded(rng, rng.choice(wanted))
    if isinstance(wanted, Number):
        return respell(rng, wanted)
    return near(rng, expand(rng, wanted)) if rng.random() < 0.7 else near(rng, wanted)


def aimed(rng, wanted):
    """A value that an entry might match."""
    if rng.random() < 0.12:
        return scalar(rng)
    if isinstance(wanted, Number):
        return respell(rng, wanted) if rng.random() < 0.9 else str(wanted)
    if isinstance(wanted, str):
        return near(rng, wanted)
    if not isinstance(wanted, Object):
        return wanted
    key, operand = wanted[0]
    while isinstance(operand, Object) and key != "anything-but":
        key, operand = operand[0]
    if key in ("prefix", "suffix"):
        return rng.choice([operand, operand + text(rng), text(rng) + operand, near(rng, operand), text(rng) + near(rng, operand),
                           near(rng, operand) + text(rng)])
    if key == "equals-ignore-case":
        return near(rng, operand)
    if key == "numeric":
        return respell(rng, rng.choice([n for n in operand if isinstance(n, Number)])) if rng.random() < 0.7 else scalar(rng)
    if key == "wildcard":
        return near(rng, expand(rng, operand))
    if key == "cidr":
        return address_near(rng, operand)
    if key == "anything-but":
        return excluded(rng, operand)
    return scalar(rng)


def values(rng, wanted):
    """For a field whose list of entries that is."""
    kind = rng.random()
    one = aimed(rng, rng.choice(wanted))
    if kind < 0.72:
        return one
    if kind < 0.88:
        some = [aimed(rng, rng.choice(wanted)) for _ in range(rng.randint(0, 2))] + [one]
        rng.shuffle(some)
        return [[item] if rng.random() < 0.1 else item for item in some]
    if kind < 0.92:
        return []
    if kind < 0.96:
        return Object([(name(rng), one)])
    return [Object([(name(rng), one)])]


def split_name(rng, key, value):
    """A dot may stand in a name, or objects within each other."""
    if "." in key and rng.random() < 0.5:
        first, rest = key.split(".", 1)
        return [(first, Object(split_name(rng, rest, value)))]
    return [(key, value)]


def members(rng, wanted, depth):
    found = Object()
    for key, inner in wanted:
        if key == "$or":
            for way in inner:
                if rng.random() < 0.6:
                    found.extend(members(rng, way, depth))
            continue
        if rng.random() < 0.15:
            continue
        value = below(rng, inner, depth + 1) if isinstance(inner, Object) else values(rng, inner)
        found.extend(split_name(rng, key, value))
        if rng.random() < 0.02:
            found.append((key, scalar(rng)))
    if rng.random() < 0.2:
        found.append((name(rng), scalar(rng)))
    if rng.random() < 0.2:
        rng.shuffle(found)
    return found


def below(rng, wanted, depth):
    """The value of a name that has fields."""
    kind = rng.random()
    if kind < 0.55 or depth > 4:
        return members(rng, wanted, depth)
    if kind < 0.90:
        some = [members(rng, wanted, depth) for _ in range(rng.randint(0, 3))]
        if rng.random() < 0.15:
            some.insert(rng.randint(0, len(some)), scalar(rng))
        if rng.random() < 0.15 and some:
            at = rng.randrange(len(some))
            some[at] = [some[at]] + ([members(rng, wanted, depth)] if rng.random() < 0.5 else [])
        return some
    return scalar(rng) if kind < 0.95 else rng.choice([[], Object(), None])


def merged(pairs):
    """One member of each name; objects of the same name are one."""
    found = {}
    for key, value in pairs:
        if isinstance(value, Object):
            before = found.get(key)
            value = merged((before if isinstance(before, Object) else []) + value)
        elif isinstance(value, list):
            value = [merged(v) if isinstance(v, Object) else v for v in value]
        found[key] = value
    return Object(found.items())


def event(rng, pattern):
    found = members(rng, pattern, 0)
    return found if rng.random() < 0.05 else merged(found)


# ---- a small world -------------------------------------------------------------
# Few names and few values, so that the same fields come again and again, in
# arrays within arrays, with dots and without.

SMALL_NAMES = ["a", "b", "c", "a.b", "b.c", "b.a"]
SMALL_ENTRIES = [Object([("exists", False)]), Object([("exists", True)]), Number("1"), "x", Object([("anything-but", "x")])]
SMALL_VALUES = [Number("1"), "x", "y"]


def small_fields(rng, depth=0):
    found = Object()
    for key in rng.sample(SMALL_NAMES, rng.choice([1, 2, 2, 3])):
        if depth < 2 and rng.random() < 0.45:
            found.append((key, small_fields(rng, depth + 1)))
        else:
            found.append((key, rng.sample(SMALL_ENTRIES, rng.choice([1, 1, 1, 2]))))
    if depth == 0 and rng.random() < 0.15:
        taken = dict(found)
        ways = [Object((key, inner) for key, inner in small_fields(rng, 1) if key not in taken) for _ in range(2)]
        if all(ways):
            found.append(("$or", ways))
    return found


def small_value(rng, depth):
    kind = rng.random()
    if depth > 4 or kind < 0.35:
        return rng.choice(SMALL_VALUES)
    if kind < 0.65:
        return [small_value(rng, depth + 1) for _ in range(rng.choice([0, 1, 2, 2, 3]))]
    return small_event(rng, depth + 1)


def small_event(rng, depth=0):
    names = rng.sample(SMALL_NAMES, rng.choice([1, 2, 2, 3]))
    if rng.random() < 0.03:
        names.append(rng.choice(names))
    return Object((key, small_value(rng, depth + 1)) for key in names)


# ---- text --------------------------------------------------------------------

def dump_text(rng, value):
    kind = rng.random()
    if kind < 0.85 and not any("\ud800" <= c <= "\udfff" for c in value):
        return json.dumps(value, ensure_ascii=False)
    if kind < 0.95:
        return json.dumps(value)
    return '"' + "".join(f"\\u{unit:04x}" for unit in utf16(value)) + '"'


def utf16(value):
    data = value.encode("utf-16-be", "surrogatepass")
    return [data[i] << 8 | data[i + 1] for i in range(0, len(data), 2)]


def dump(rng, value):
    space = rng.choice(["", "", "", " "])
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return dump_text(rng, value)
    if isinstance(value, Object):
        return "{" + space + ("," + space).join(dump_text(rng, key) + space + ":" + dump(rng, inner) for key, inner in value) + "}"
    if isinstance(value, list):
        return "[" + space + ("," + space).join(dump(rng, inner) for inner in value) + space + "]"
    return json.dumps(value)


def spoiled(rng, pattern):
    """The text of a pattern with something in it that may have to be refused."""
    kind = rng.random()
    if kind < 0.05:
        return rng.choice(BROKEN)
    good = dump(rng, pattern)
    if kind < 0.15:
        at = rng.randrange(len(good))
        return good[:at] + rng.choice(["", '"', ",", "]", "}", "x", "1", " "]) + good[at + rng.randint(0, 1):]
    key = dump_text(rng, name(rng))
    if kind < 0.35:
        bad = f"{key}:{rng.choice(BAD_LEAVES)}"
    elif kind < 0.5:
        bad = rng.choice(BAD_FIELDS)
    else:
        good_entry = dump(rng, entry(rng)) + "," if rng.random() < 0.5 else ""
        bad = f"{key}:[{good_entry}{rng.choice(BAD_ENTRIES)}]"
    if rng.random() < 0.5:
        return "{" + bad + "}"
    return "{" + bad + "," + good[1:] if rng.random() < 0.5 else good[:-1] + "," + bad + "}"


def cases(rng, events_each):
    """Without end: the text of a pattern, and texts of events."""
    while True:
        pattern = fields(rng, 0)
        kind = rng.random()
        if kind < 0.2:
            yield spoiled(rng, pattern), [dump(rng, event(rng, pattern)) for _ in range(2)]
        elif kind < 0.5:
            yield dump(rng, small_fields(rng)), [dump(rng, small_event(rng)) for _ in range(events_each)]
        else:
            yield dump(rng, pattern), [dump(rng, event(rng, pattern)) for _ in range(events_each)]
