#!/usr/bin/env python3
"""Make of src/ir/ops.def what is written about operations elsewhere.

    gen_ops.py --header [FILE]   gt/ops.h: the C declarations of rows with a CALL form
    gen_ops.py --doc [FILE]      docs/ops.md: the whole table for readers
    gen_ops.py --calls [FILE]    the same rows as macros, for the Python extension
    gen_ops.py --pyi [FILE]      stubs of the Python functions and methods, for a .pyi file
    gen_ops.py --json [FILE]     the rows, all columns, as data
    gen_ops.py --dict [FILE]     words of the text form, for the fuzzer
    gen_ops.py --check FILE      exit 1 if docs/ops.md is not what --doc writes

Without FILE on standard output. The table is read as text: a row is OP(...) and the columns behind
it up to END.
"""
import json
import pathlib
import re
import sys

TABLE = pathlib.Path(__file__).resolve().parent.parent / "src" / "ir" / "ops.def"
COLUMNS = ("CALL", "TYPES", "ATTRS", "OPERANDS", "FIELDS", "INPUTS", "SHAPE", "SHARD", "KERNEL",
           "GRAD", "DOC")
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|-?\d+|\S')


def fail(text):
    sys.exit(f"gen_ops.py: {TABLE}: {text}")


def source(text):
    """The table without comments and preprocessor lines; strings may contain either's marks."""
    kept = re.compile(r'"(?:[^"\\]|\\.)*"|/\*.*?\*/', re.S)
    text = kept.sub(lambda m: m[0] if m[0][0] == '"' else " ", text)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*$", "", text, flags=re.M)


def text_of(tokens):
    """An argument's text; adjacent strings are one, as in C."""
    strings = bool(tokens) and tokens[0][0] == '"'
    return "".join(map(json.loads, tokens)) if strings else " ".join(tokens)


def arguments(tokens):
    """Tokens of one column up to its closing parenthesis, as a list of texts."""
    if next(tokens, None) != "(":
        fail("a column without arguments")
    depth, args = 1, [[]]
    for t in tokens:
        depth += (t == "(") - (t == ")")
        if depth == 0:
            return [text_of(arg) for arg in args]
        if t == "," and depth == 1:
            args.append([])
        else:
            args[-1].append(t)
    fail("a column without end")


def read_rows():
    tokens = iter(TOKEN.findall(source(TABLE.read_text())))
    rows, row = [], None
    for t in tokens:
        if t == "OP" and row is None:
            name, code, kind, inputs = arguments(tokens)
            row = {"name": name, "code": int(code), "kind": kind, "inputs": int(inputs)}
        elif t == "END" and row is not None:
            rows.append(complete(row))
            row = None
        elif row is not None and t in COLUMNS and t not in row:
            row[t] = arguments(tokens)
        else:
            fail(f"'{t}' is not expected {'in row ' + row['name'] if row else 'between rows'}")
    if row is not None or not rows:
        fail("the last row has no END" if rows else "no rows")
    for key in ("name", "code"):
        if len({r[key] for r in rows}) != len(rows):
            fail(f"a {key} is used twice")
    return rows


def complete(row):
    for column in COLUMNS:
        empty = ["", ""] if column == "TYPES" else [""]
        row["takes" if column == "INPUTS" else column.lower()] = row.pop(column, empty)
    row["attrs"] = re.findall(r"ATTR_(\w+)", row["attrs"][0])
    row["types_in"], row["types_out"] = row.pop("types")
    for column in ("call", "operands", "fields", "takes", "shape", "shard", "kernel", "grad", "doc"):
        row[column] = row[column][0]
    if not row["doc"]:
        fail(f"row {row['name']} has no DOC")
    return row


# ---- C ----

HEADER = """\
/* gt/ops.h: operations made from the op table (src/ir/ops.def) by scripts/gen_ops.py.
 *
 * Every function returns NULL on error: GT_EDTYPE for a dtype that the operation does not take,
 * GT_ESHAPE for shapes that do not fit, GT_EINVAL for an axis out of range, GT_ELIMIT for a result of
 * more than 2^40 elements.
 */
#ifndef GT_OPS_H
#define GT_OPS_H
"""

FORMS = {   # parameters of the function, of the macro, what the macro passes
    "UNARY": ("gt_tensor *x", "x", "(x)"),
    "BINARY": ("gt_arg a, gt_arg b", "a, b", "GT_ARG(a), GT_ARG(b)"),
    "TERNARY": ("gt_arg a, gt_arg b, gt_arg c", "a, b, c", "GT_ARG(a), GT_ARG(b), GT_ARG(c)"),
    "REDUCE": ("gt_tensor *x, gt_reduce options", "x, ...", "(x), GT_REDUCE(__VA_ARGS__)"),
    "AXIS": ("gt_tensor *x, int axis", "x, axis", "(x), (axis)"),
}
CALLS = {"UNARY": "x", "BINARY": "a, b", "TERNARY": "a, b, c", "AXIS": "x, axis",
         "REDUCE": "x, .axis = k, .keepdims = true"}
KINDS = {"b": "bool", "i": "int", "f": "float"}


def and_list(words):
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def takes(row):
    """The dtypes a user may pass. What makes floats casts ints and bools to float32 itself."""
    if row["types_in"] == "f" and row["types_out"] == "float":
        return "float (int and bool count as float32)"
    return and_list([KINDS[k] for k in row["types_in"]])


def makes(row):
    return {"same": "the same", "float": "float", "bool": "bool", "index": "int64",
            "sum": "the same; int64 for int and bool"}.get(row["types_out"], "as asked")


def shapes(row):
    if row["call"] == "UNARY":
        return "any shape, kept"
    if row["call"] in ("BINARY", "TERNARY"):
        return "broadcast; each may be a number, one is a tensor"
    if row["call"] == "AXIS":
        return "any shape with dims, kept; a negative axis counts from the end"
    if row["shape"] == "reduce_nonempty":
        return "any shape; all dims unless named; none of those may have size 0"
    return "any shape; all dims unless named"


def wrap(text, indent, width=96):
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width - len(indent):
            lines.append(indent + line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return "\n".join(lines + [indent + line])


def declaration(row):
    parameters, macro, passed = FORMS[row["call"]]
    name = f"gt_{row['name']}"
    about = wrap(f"{name}({CALLS[row['call']]}): {row['doc']}", " * ")[3:]
    facts = wrap(f"Shapes: {shapes(row)}. Dtypes: {takes(row)} -> {makes(row)}.", " *   ")
    return (f"/* {about}\n{facts} */\n"
            f"GT_API gt_tensor *{name}_at(const gt_site *site, {parameters});\n"
            f"#define {name}({macro}) {name}_at(GT_HERE, {passed})\n")


def listing(rows):
    lines = [f"X({r['name']}, {r['call']})" for r in rows]
    return ("/* All of the above, for those who make something of each: X(name, form of the call). */\n"
            "#define GT_OPS(X) \\\n\t" + " \\\n\t".join(lines) + "\n")


def header(rows):
    called = [r for r in rows if r["call"] != "NONE"]
    return "\n".join([HEADER, *map(declaration, called), listing(called), "#endif\n"])


# ---- documentation ----

TITLES = {
    "CONTROL": "Control", "CREATE": "Creation", "ELEMENT": "Element by element",
    "REDUCE": "Reductions", "COMPOSITE": "Composites", "PRODUCT": "Products", "VIEW": "Views",
    "INDEX": "Moving elements and indexing",
}
DOC = """\
# Operations

Made from the op table `src/ir/ops.def` by `scripts/gen_ops.py --doc`; a test compares. These are the
instructions of the stream: what Python and C offer beyond them is made of them. Inputs: *t* a tensor,
*n* a number, *t/n* either; tensors of one instruction have one dtype (the client casts), indices and
conditions aside. Dtypes: b bool, i int32 and int64, f float32 and float64.
"""


def input_text(row):
    default = {"CREATE": "s", "ELEMENT": "a"}.get(row["kind"], "t")
    if row["inputs"] < 0:
        return "t, ..."
    letters = (row["takes"] or default * row["inputs"])[: row["inputs"]]
    if row["kind"] == "ELEMENT" and row["inputs"] == 1:
        letters = "t"
    return ", ".join({"t": "t", "s": "n", "a": "t/n"}[c] for c in letters)


def operand_text(row):
    names = row["fields"].split()
    named = [f"{n}=[..]" if "i*" in row["operands"] else f"{n}=" for n in names]
    words = ["sizes"] if "d" in row["operands"] else []
    words += ["data"] * ("b" in row["operands"]) + ["name"] * ("s" in row["operands"]) + named
    return ", ".join(words + [a.lower() for a in row["attrs"]])


def type_text(row):
    if not row["types_out"]:
        return ""
    out = {"attr": "dtype", "attr_float": "dtype (f)", "attr_number": "dtype (i, f)"}.get(
        row["types_out"], row["types_out"])
    return f"{row['types_in']} → {out}" if row["types_in"] else f"→ {out}"


def doc(rows):
    parts = [DOC]
    for kind, title in TITLES.items():
        parts.append(f"\n## {title}\n\n"
                     "| op | code | inputs | operands and attributes | dtypes | gradient | |\n"
                     "|---|---|---|---|---|---|---|\n")
        for r in (r for r in rows if r["kind"] == kind):
            gradient = "" if r["grad"] == "none" else "yes"
            cells = [f"`{r['name']}`", str(r["code"]), input_text(r), operand_text(r), type_text(r),
                     gradient, r["doc"]]
            parts.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |\n")
    return "".join(parts)


# ---- Python ----

def python_name(row):
    """and, or, not are words of the language; the four belong together."""
    return "bitwise_" + row["name"] if row["name"] in ("and", "or", "xor", "not") else row["name"]


def calls(rows):
    """ROW_UNARY(not, bitwise_not, "..."): form, C name, Python name, documentation."""
    return "".join(f'ROW_{r["call"]}({r["name"]}, {python_name(r)}, {json.dumps(r["doc"])})\n'
                   for r in rows if r["call"] != "NONE")


# Parameters behind the first, the result; TERNARY rows and those with a result of their own are
# written by hand in the stub.
STUBS = {
    "UNARY": ("", "Tensor"),
    "BINARY": (", other: _Operand", "Tensor"),
    "REDUCE": (", axis: _Axes = None, keepdims: _bool = False, dtype: _Dtype = None, *, "
               "dim: _Axes = None, keepdim: _bool = False", "Tensor"),
    "AXIS": (", axis: _int = -1, *, dim: _int = -1", "Tensor"),
}
BY_HAND = ("add", "sub", "max", "min")


def pyi(rows):
    """Functions, a line with a mark, methods."""
    rows = [r for r in rows if r["call"] in STUBS and r["name"] not in BY_HAND]
    parts = []
    for start, first in (("def ", "input: _Data"), ("    def ", "self")):
        for r in rows:
            more, result = STUBS[r["call"]]
            head = f"{start}{python_name(r)}("
            # One word a parameter, so that lines are broken between them.
            words = (first + more).replace(" ", "\0").replace(",\0", ", ")
            text = wrap(words, " " * len(head), 92).lstrip().replace("\0", " ")
            parts.append(f"{head}{text}) -> {result}: ...\n")
        parts.append("# methods\n" if start == "def " else "")
    return "".join(parts)


WORDS = ["t1", "= ", "@ ", "[", "]", "{", "}", "true", "inf", "nan:0x7fc00001", "-0.0", "1e-45", "\\\"",
         "float32", "float64", "int32", "int64", "bool", "9223372036854775807"]


def dictionary(rows):
    words = {r["name"] for r in rows} | {f"{f}=" for r in rows for f in r["fields"].split()}
    words |= {a.lower() for r in rows for a in r["attrs"]}
    return "".join(f'"{w}"\n' for w in [*sorted(words), *WORDS])


def as_json(rows):
    return json.dumps(rows, indent=1) + "\n"


def main(argv):
    makers = {"--header": header, "--doc": doc, "--calls": calls, "--pyi": pyi, "--json": as_json,
              "--dict": dictionary}
    if len(argv) not in (2, 3) or argv[1] not in (*makers, "--check"):
        sys.exit(__doc__.strip())
    if argv[1] == "--check":
        if pathlib.Path(argv[2]).read_text() != doc(read_rows()):
            sys.exit(f"{argv[2]} is stale: run scripts/gen_ops.py --doc docs/ops.md")
        return
    text = makers[argv[1]](read_rows())
    if len(argv) == 3:
        pathlib.Path(argv[2]).write_text(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main(sys.argv)
