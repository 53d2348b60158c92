"""A shape is a document of a conformance case: JSON in which some texts stand
for what only the run knows (tests/conformance/README.md). Members are compared
in their order, numbers as they are written.
"""
import json
import re
import time

CLASSES = {
    "<any>": lambda seen: True,
    "<text>": lambda seen: isinstance(seen, str) and seen != "",
    "<digits>": lambda seen: isinstance(seen, str) and seen.isdigit(),
    "<hex32>": lambda seen: is_like(r"[0-9a-f]{32}", seen),
    "<uuid>": lambda seen: is_like(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", seen),
    "<time ms>": lambda seen: is_like(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", seen),
    "<epoch>": lambda seen: isinstance(seen, float) and abs(seen - time.time()) < 3600,
}


def is_masked(mask, text):
    """Each 0 of the mask is a digit, each x a hexadecimal one."""
    pattern = "".join({"0": r"\d", "x": "[0-9a-f]"}.get(c, re.escape(c)) for c in mask)
    return re.fullmatch(pattern, text) is not None


def is_like(pattern, seen):
    return isinstance(seen, str) and re.fullmatch(pattern, seen) is not None


def expand(text, words):
    """words(name, argument): what <name argument> stands for; a shape that is
    nothing else becomes just that, whatever its type."""
    whole = re.fullmatch(r"<([a-z]+)(?: ([^>]*))?>", text)
    if whole:
        return words(whole.group(1), whole.group(2))
    return re.sub(r"<([a-z]+)(?: ([^>]*))?>", lambda m: str(words(m.group(1), m.group(2))), text)


def differences(shape, seen, words, where):
    """What of `seen` is not as the shape says, as sentences."""
    if isinstance(shape, str):
        return text_differences(shape, seen, words, where)
    if isinstance(shape, dict) and isinstance(seen, dict):
        if list(shape) != list(seen):
            return [f"{where}: wanted the members {list(shape)}, saw {list(seen)}"]
        return [d for k in shape for d in differences(shape[k], seen[k], words, f"{where}.{k}")]
    if isinstance(shape, list) and isinstance(seen, list) and len(shape) == len(seen):
        return [d for i, s in enumerate(shape) for d in differences(s, seen[i], words, f"{where}[{i}]")]
    if shape == seen and type(shape) is type(seen):
        return []
    return [f"{where}: wanted {json.dumps(shape)}, saw {json.dumps(seen)}"]


def text_differences(shape, seen, words, where):
    if shape in CLASSES:
        return [] if CLASSES[shape](seen) else [f"{where}: wanted {shape}, saw {json.dumps(seen)}"]
    wanted = expand(shape, words)
    if wanted in CLASSES:
        return text_differences(wanted, seen, words, where)
    good = wanted == seen and type(wanted) is type(seen)
    return [] if good else [f"{where}: wanted {json.dumps(wanted)}, saw {json.dumps(seen)}"]


def document_differences(shape, text, words, where):
    """The same of a document's bytes: no white space, no needless escape."""
    seen = json.loads(text)
    if json.dumps(seen, separators=(",", ":"), ensure_ascii=False) != text:
        return [f"{where}: not as it would be written: {text}"]
    return differences(shape, seen, words, where)
