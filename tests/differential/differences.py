"""Where we differ from the matcher on purpose, or it is wrong: each with its
reason. lambda-esm.md section 5.2 (recorded on AWS) outranks both engines.

A difference in a verdict is explained only when it is gone once the cause is
taken out of pattern and event; see `without` of each class.
"""
import ipaddress
import itertools
import re
from decimal import Decimal
from fractions import Fraction

from generate import Number, Object

FOLDS = "equals-ignore-case"


def pairs_in(value):
    """Every (name, value) of all objects within."""
    if isinstance(value, Object):
        for name, inner in value:
            yield name, inner
            yield from pairs_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from pairs_in(inner)


def scalars_in(value):
    if isinstance(value, Object):
        for _, inner in value:
            yield from scalars_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from scalars_in(inner)
    else:
        yield value


def texts_in(value):
    return [v for v in scalars_in(value) if isinstance(v, str) and not isinstance(v, Number)]


def numbers_in(value):
    return [v for v in scalars_in(value) if isinstance(v, Number)]


def changed(value, scalar, name=lambda name: name):
    """A copy with each scalar and each name passed through a function."""
    if isinstance(value, Object):
        return Object((name(key), changed(inner, scalar, name)) for key, inner in value)
    if isinstance(value, list):
        return [changed(inner, scalar, name) for inner in value]
    return scalar(value)


def with_texts(change):
    return lambda value: change(value) if isinstance(value, str) and not isinstance(value, Number) else value


def operands(pattern, names):
    return [text for name, inner in pairs_in(pattern) if name in names for text in texts_in(inner)]


# ---- names ---------------------------------------------------------------------

def filled(name):
    return ".".join(step or "e" for step in name.split("."))


class EmptyName:
    """{"": ["a"]}: JSON allows an empty name, and so do we. The matcher splits
    paths at their dots, loses empty steps, and looks at no field that has one
    (GenericMachine.isFieldStepUsed)."""

    @staticmethod
    def applies(pattern, event):
        return any(not step for value in (pattern, event) for name, _ in pairs_in(value) for step in name.split("."))

    @staticmethod
    def without(pattern, value):
        return changed(value, lambda v: v, filled)


# ---- letters -------------------------------------------------------------------

def lower_plane(char):
    code = ord(char)
    if 0xd800 <= code <= 0xdfff:
        return "q"
    if code <= 0xffff:
        return char
    return {0x10400: "\u0416", 0x10428: "\u0436"}.get(code, chr(0x4e00 + (code & 0xfff)))


def each_char(change):
    return with_texts(lambda text: "".join(change(char) for char in text))


class IgnoreCaseBeyondBmp:
    """equals-ignore-case of characters beyond U+FFFF: the matcher takes each
    half of the pair for a character, which then matches nothing
    (EqualsIgnoreCaseParser). We fold the character."""

    @staticmethod
    def applies(pattern, event):
        return any(ord(char) > 0xffff for text in operands(pattern, [FOLDS]) for char in text)

    @staticmethod
    def without(pattern, value):
        return changed(value, each_char(lower_plane))


class HalfPair:
    """Half of a surrogate pair is no character: we read U+FFFD, Java writes a
    question mark."""

    @staticmethod
    def applies(pattern, event):
        return any("\ud800" <= char <= "\udfff" for value in (pattern, event) for text in texts_in(value) for char in text)

    @staticmethod
    def without(pattern, value):
        return changed(value, each_char(lower_plane))


class Quote:
    """The matcher keeps texts with the quotes around them, and so a suffix that
    begins with a quote matches one character too early (JsonRuleCompiler)."""

    NAMES = ["prefix", "suffix"]

    @staticmethod
    def applies(pattern, event):
        return any(text.startswith('"') or text.endswith('"') for text in operands(pattern, Quote.NAMES))

    @staticmethod
    def without(pattern, value):
        return changed(value, with_texts(lambda text: text.replace('"', "'")))


# ---- numbers -------------------------------------------------------------------

def is_double(number):
    """Is it to the last digit what its nearest double prints as?"""
    if abs(Decimal(number).adjusted()) > 400:
        return not Decimal(number)
    nearest = float(number)
    if nearest in (float("inf"), float("-inf")):
        return False
    # The smallest prints as 4.9E-324 in Java.
    return abs(nearest) != 5e-324 and Fraction(Decimal(repr(nearest))) == Fraction(Decimal(number))


class BeyondDouble:
    """Numbers that a double does not hold: the matcher compares them as text, or
    not at all (ComparableNumber). We compare all digits."""

    @staticmethod
    def applies(pattern, event):
        return any(not is_double(number) for value in (pattern, event) for number in numbers_in(value))

    @staticmethod
    def without(pattern, value):
        return changed(value, lambda v: Number("7") if isinstance(v, Number) and not is_double(v) else v)


# ---- addresses -----------------------------------------------------------------

V4 = re.compile(r"0*(\d{1,3})\.0*(\d{1,3})\.0*(\d{1,3})\.0*(\d{1,3})$")


def family(text):
    """4 or 6; 0 of what is no address."""
    found = V4.match(text)
    if found:
        return 4 if all(int(number) < 256 for number in found.groups()) else 0
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return 0
    return 4 if address.ipv4_mapped else 6


def families(pattern):
    blocks = {family(block.split("/")[0]) for block in operands(pattern, ["cidr"])}
    return blocks | {family(text) for text in texts_in(pattern)} - {0}


class OtherFamily:
    """An IPv4 address in a block of IPv6, or the other way: the matcher compares
    hexadecimal digits, however many there are (CIDR), so that 10.0.0.1 lies in
    ::/0. To us it does not."""

    @staticmethod
    def applies(pattern, event):
        wanted = families(pattern)
        return any(family(text) and wanted - {family(text)} for text in texts_in(event))

    @staticmethod
    def without(pattern, value):
        if value is pattern:
            return value
        wanted = families(pattern)
        return changed(value, with_texts(lambda text: "q" if family(text) and wanted - {family(text)} else text))


class BlockOfNumbers:
    """A number, true, false or null where a cidr is wanted, or an address as a
    text: the matcher takes it for hexadecimal digits. To us it is no address."""

    @staticmethod
    def applies(pattern, event):
        return bool(families(pattern)) and len(texts_in(event)) < len(list(scalars_in(event)))

    @staticmethod
    def without(pattern, value):
        if value is pattern:
            return value
        return changed(value, lambda v: v if isinstance(v, str) and not isinstance(v, Number) else "q")


# ---- arrays ----------------------------------------------------------------------

def one_array_each(value, path=(), seen=None):
    """Without arrays whose path begins with another's, or is the start of it, in
    the same object: what is left has one array for each field."""
    if isinstance(value, list) and not isinstance(value, Object):
        return [one_array_each(inner) for inner in value]
    if not isinstance(value, Object):
        return value
    seen = [] if seen is None else seen
    left = Object()
    for name, inner in value:
        below = path + tuple(name.split("."))
        if isinstance(inner, list) and not isinstance(inner, Object):
            if any(below[:len(other)] == other[:len(below)] for other in seen):
                continue
            seen.append(below)
        left.append((name, one_array_each(inner, below, seen)))
    return left


class TwoArrays:
    """A key of an event that is given twice, or with dots and without, and is an
    array both times: the matcher tries which elements of the two go together.
    When neither array holds all, we count what is in either (elements.c): such
    an event is wanted rather than lost."""

    @staticmethod
    def applies(pattern, event):
        return one_array_each(event) != event

    @staticmethod
    def without(pattern, value):
        return value if value is pattern else one_array_each(value)


CAUSES = [EmptyName, IgnoreCaseBeyondBmp, HalfPair, Quote, BeyondDouble, OtherFamily, BlockOfNumbers, TwoArrays]


class ListAgainstItself:
    """The entries of a list are alternatives [lambda-esm.md 5.1]. With some of
    them together the matcher loses one or finds what neither does: on patterns
    with one entry in each list, of which one must match, it agrees with us."""

    LIMIT = 200

    @staticmethod
    def alternatives(pattern):
        """Patterns of one entry a list, or None when there would be too many."""
        lists = []

        def mark(value):
            if isinstance(value, Object):
                return Object((name, ways(inner) if name == "$or" else mark(inner)) for name, inner in value)
            lists.append(value)
            return len(lists) - 1

        def ways(value):
            return [mark(way) for way in value]

        def fill(value, choice):
            if isinstance(value, Object):
                return Object((name, [fill(way, choice) for way in inner] if name == "$or" else fill(inner, choice))
                              for name, inner in value)
            return [choice[value]]

        marked, total = mark(pattern), 1
        for entries in lists:
            total *= len(entries)
        if not 1 < total <= ListAgainstItself.LIMIT:
            return None
        return [fill(marked, choice) for choice in itertools.product(*lists)]


# ---- refusals ------------------------------------------------------------------

def paths(pattern, before=""):
    """Of each combination that $or makes: the fields it lists."""
    ways = [[]]
    for name, inner in pattern:
        if name == "$or":
            more = [path for way in inner for path in paths(way, before)]
        elif isinstance(inner, Object):
            more = paths(inner, before + name + ".")
        else:
            more = [[before + name]]
        ways = [way + new for way in ways for new in more]
    return ways


REFUSALS = [
    ("a field listed twice", "this field is listed already", "accepted",
     "the last one wins in the matcher, unsaid; AWS's own example means both, so we say so [lambda-esm.md 5.2, last row]",
     lambda text, pattern: any(len(set(way)) < len(way) for way in paths(pattern))),
    ("a number beyond a double", "accepted", "Cannot compare number",
     "we compare all digits; the matcher has doubles (ComparableNumber)",
     lambda text, pattern: any(not is_double(number) for number in numbers_in(pattern))),
    ("a bound beyond a double", "accepted", "Bottom must be less than top",
     "two bounds that differ only beyond a double's digits", lambda text, pattern: any(not is_double(n) for n in numbers_in(pattern))),
    ("something behind the pattern", "something follows the document", "accepted",
     "the matcher stops reading at the closing brace; a pattern that was cut and pasted wrong should not pass",
     lambda text, pattern: True),
    ("an empty list in anything-but", "an empty list", "accepted",
     "the matcher takes an empty list of prefixes and so on, but not of values; both exclude nothing",
     lambda text, pattern: any(name == "anything-but" and inner and inner[0][1] == [] for name, inner in pairs_in(pattern)
                               if isinstance(inner, Object))),
    ("a sign before a block's bits", "not an address, a slash and a number of bits", "accepted",
     "\"10.0.0.0/+8\": Java's parseInt takes the sign",
     lambda text, pattern: any("/+" in block for block in operands(pattern, ["cidr"]))),
    ("a failure of the matcher", "accepted", "failed java.lang.",
     "an exception that is no refusal: some wildcards beside other operators (ClassCastException), ranges up to the largest "
     "double (ArrayIndexOutOfBoundsException)", lambda text, pattern: True),
]
