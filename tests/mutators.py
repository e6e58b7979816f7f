"""What `mutate.py` plants: small wrong changes of a source text, one at a time.

Every change replaces one span of bytes, found with `ast`, so that the rest of the file keeps its
layout and a mutant can be shown as a diff. Left alone are docstrings, annotations, decorators,
imports, f-strings and flags that only guard (`strict=`, `copy=`); messages of errors are made
wrong rarely, because most of their words are nobody's promise.
"""

import ast
import itertools
import random
import re
import warnings
from dataclasses import dataclass

ARITHMETIC = {
    ast.Add: ("+", ["-"]),
    ast.Sub: ("-", ["+"]),
    ast.Mult: ("*", ["/", "+"]),
    ast.Div: ("/", ["*"]),
    ast.FloorDiv: ("//", ["/", "*"]),
    ast.Mod: ("%", ["*"]),
    ast.Pow: ("**", ["*"]),
    ast.LShift: ("<<", [">>"]),
    ast.RShift: (">>", ["<<"]),
    ast.BitAnd: ("&", ["|"]),
    ast.BitOr: ("|", ["&"]),
}
COMPARISONS = {
    ast.Lt: ("<", ["<=", ">="]),
    ast.LtE: ("<=", ["<", ">"]),
    ast.Gt: (">", [">=", "<="]),
    ast.GtE: (">=", [">", "<"]),
    ast.Eq: ("==", ["!="]),
    ast.NotEq: ("!=", ["=="]),
    ast.Is: ("is", ["is not"]),
    ast.IsNot: ("is not", ["is"]),
    ast.In: ("in", ["not in"]),
    ast.NotIn: ("not in", ["in"]),
}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor"}
NAMES |= {"zeros": "ones", "ones": "zeros", "argmax": "argmin", "argmin": "argmax"}
SYMMETRIC = {"min", "max", "minimum", "maximum"}  # whose arguments may stand in any order
GUARDS = {"strict", "copy"}  # keywords whose change only removes a guard or a copy
RARELY = 0.1  # how much less often than others such a change is drawn


@dataclass(frozen=True)
class Mutant:
    """One change: bytes `start` to `end` of `file` become `new`. `weight` says how often."""

    file: str
    line: int
    start: int
    end: int
    new: str
    operator: str
    weight: float = 1.0

    @property
    def name(self):
        return f"{self.file}:{self.line}:{self.start}-{self.end}:{self.new}"

    def apply(self, source):
        """Return the changed text (bytes)."""
        return source[: self.start] + self.new.encode() + source[self.end :]


def mutants_of(file, source):
    """Return all mutants of a source text (bytes) that still compile, in the order of the text."""
    visitor = _Visitor(file, source)
    visitor.visit(ast.parse(source))
    valid = [mutant for mutant in visitor.mutants if _compiles(mutant.apply(source))]
    return sorted(set(valid), key=lambda m: (m.start, m.end, m.new))


def draw(mutants, count, seed):
    """Draw `count` of the mutants, weighted, without replacement; the same for the same seed."""
    keyed = []
    for mutant in mutants:
        generator = random.Random(f"{seed} {mutant.name}")
        keyed.append((generator.random() ** (1 / mutant.weight), mutant))
    keyed.sort(key=lambda pair: -pair[0])
    return sorted((mutant for _, mutant in keyed[:count]), key=lambda m: (m.start, m.new))


def _compiles(source):
    try:
        with warnings.catch_warnings():  # `x is 0` and the like
            warnings.simplefilter("ignore")
            compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


class _Visitor(ast.NodeVisitor):
    def __init__(self, file, source):
        self.file, self.source, self.mutants = file, source, []
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def begin(self, node):
        return self.starts[node.lineno - 1] + node.col_offset

    def finish(self, node):
        return self.starts[node.end_lineno - 1] + node.end_col_offset

    def text(self, node):
        return self.source[self.begin(node) : self.finish(node)].decode()

    def add(self, start, end, new, operator, weight=1.0):
        line = self.source.count(b"\n", 0, start) + 1
        self.mutants.append(Mutant(self.file, line, start, end, new, operator, weight))

    def replace(self, node, new, operator, weight=1.0):
        self.add(self.begin(node), self.finish(node), new, operator, weight)

    def swap(self, one, two, operator):
        if self.text(one) != self.text(two):
            middle = self.source[self.finish(one) : self.begin(two)].decode()
            swapped = self.text(two) + middle + self.text(one)
            self.add(self.begin(one), self.finish(two), swapped, operator)

    def between(self, left, right, old, news, operator):
        """Replace the operator that stands between two nodes."""
        first, last = self.finish(left), self.begin(right)
        pattern = re.escape(old).replace(r"\ ", r"\s+").encode()
        found = re.search(pattern, re.sub(rb"#[^\n]*", lambda m: b" " * len(m[0]),
                                          self.source[first:last]))  # fmt: skip
        for new in news if found else ():
            self.add(first + found.start(), first + found.end(), new, operator)

    # --- what is left alone ---

    def visit_Import(self, node):
        pass

    visit_ImportFrom = visit_JoinedStr = visit_Import

    def visit_FunctionDef(self, node):
        self.visit(node.args)
        self.body(node)

    def visit_ClassDef(self, node):
        self.body(node)

    visit_Module = visit_ClassDef

    def body(self, node):
        for statement in node.body:
            is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if not (is_text and isinstance(statement.value.value, str)):
                self.visit(statement)

    def visit_arg(self, node):
        pass  # the name and its annotation

    def visit_AnnAssign(self, node):
        if node.value is not None:
            self.visit(node.value)

    def visit_Raise(self, node):
        self.replace(node, "pass", "removed raise")
        for part in ast.walk(node):
            if isinstance(part, ast.JoinedStr):
                self.replace(part, '"mutant"', "message", RARELY)

    # --- expressions ---

    def visit_BinOp(self, node):
        old, news = ARITHMETIC.get(type(node.op), ("", ()))
        self.between(node.left, node.right, old, news, "arithmetic")
        self.generic_visit(node)

    def visit_Compare(self, node):
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            self.between(left, right, *COMPARISONS[type(operator)], "comparison")
            left = right
        self.generic_visit(node)

    def visit_BoolOp(self, node):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in itertools.pairwise(node.values):
            self.between(left, right, old, [new], "and/or")
        self.generic_visit(node)

    def visit_UnaryOp(self, node):
        if isinstance(node.op, ast.Not | ast.USub | ast.Invert):
            self.replace(node, self.text(node.operand), "dropped " + type(node.op).__name__)
        self.generic_visit(node)

    def visit_Constant(self, node):
        value = node.value
        if isinstance(value, bool):
            self.replace(node, str(not value), "constant")
        elif isinstance(value, int):
            self.replace(node, str(value + 1), "constant")
            if value > 0:
                self.replace(node, str(value - 1), "constant")
            if value > 1:
                self.replace(node, str(2 * value), "constant")
        elif isinstance(value, float):
            self.replace(node, repr(2 * value if value else 1.0), "constant")
            self.replace(node, repr(value + 1), "constant")
        elif isinstance(value, str):
            self.replace(node, repr("!" + value), "text", 0.3)
        elif value is None:
            self.replace(node, "0", "constant", 0.3)

    def visit_Call(self, node):
        plain = [a for a in node.args if not isinstance(a, ast.Starred)]
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        for one, two in () if name in SYMMETRIC else itertools.pairwise(plain):
            self.swap(one, two, "swapped arguments")
        before = node.args
        for keyword in node.keywords:
            if before and keyword.arg not in GUARDS and keyword.arg is not None:
                self.add(self.finish(before[-1]), self.finish(keyword), "", "dropped keyword")
            before = [keyword]
        self.generic_visit(node)

    def visit_keyword(self, node):
        if node.arg not in GUARDS:
            self.visit(node.value)

    def visit_Name(self, node):
        if node.id in NAMES and isinstance(node.ctx, ast.Load):
            self.replace(node, NAMES[node.id], "function")

    def visit_Attribute(self, node):
        if node.attr in NAMES:
            end = self.finish(node)
            self.add(end - len(node.attr), end, NAMES[node.attr], "function")
        self.generic_visit(node)

    def visit_Slice(self, node):
        for bound in (node.lower, node.upper, node.step):
            if bound is not None:
                self.replace(bound, "", "slice bound")
        self.generic_visit(node)

    def visit_IfExp(self, node):
        self.negate(node)

    def visit_comprehension(self, node):
        for test in node.ifs:
            self.replace(test, f"(not ({self.text(test)}))", "negated condition")
        self.generic_visit(node)

    # --- statements ---

    def negate(self, node):
        self.replace(node.test, f"(not ({self.text(node.test)}))", "negated condition")
        self.generic_visit(node)

    visit_If = visit_While = negate

    def visit_AugAssign(self, node):
        old, news = ARITHMETIC.get(type(node.op), (None, ()))
        if old:
            self.between(node.target, node.value, old + "=", [n + "=" for n in news], "arithmetic")
        self.replace(node, "pass", "removed statement")
        self.generic_visit(node)

    def visit_Assign(self, node):
        target = node.targets[0]
        is_name = isinstance(target, ast.Name)
        if isinstance(target, ast.Subscript | ast.Attribute) or (
            is_name and self.known_before(target)
        ):
            self.replace(node, "pass", "removed statement")
        if not (is_name and target.id == "__all__"):
            self.generic_visit(node)

    def known_before(self, target):
        """Whether the name occurs in the text above its assignment, within the same function."""
        above = self.source[: self.begin(target)].decode()
        above = above[max(above.rfind("\ndef "), above.rfind("\n    def "), 0) :]
        return re.search(rf"\b{target.id}\b", above) is not None

    def visit_Expr(self, node):
        self.replace(node, "pass", "removed statement")
        self.generic_visit(node)

    def visit_Continue(self, node):
        self.replace(node, "continue" if isinstance(node, ast.Break) else "break", "loop")

    visit_Break = visit_Continue

    def visit_Return(self, node):
        value = node.value
        if isinstance(value, ast.Tuple) and len(value.elts) > 1:
            self.swap(*value.elts[:2], "swapped results")
        elif value is not None and not isinstance(value, ast.Constant):
            self.replace(value, "None", "returned value", 0.3)
        self.generic_visit(node)
