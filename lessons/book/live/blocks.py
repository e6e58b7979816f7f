"""Which earlier blocks of a lesson a block needs: those that bind the names that it reads.

Read with `ast`, block by block. A name inside a function counts as read by the block that defines
the function, which may ask for a block too many, never for one too few.
"""

import ast
import builtins


def needs(blocks):
    """Return for each block the numbers (from 0) of the earlier blocks that it needs, in order.

    blocks: the texts of the Python blocks of a lesson. What those blocks need in turn is included.
    """
    bound, wanted = {}, []
    for number, text in enumerate(blocks):
        binds, reads = names(text)
        direct = {block for name in reads for block in bound.get(name, ())}
        wanted.append(sorted(direct.union(*(wanted[block] for block in direct))))
        for name in binds:
            # One that also reads the name (x += 1, x[0] = 1) continues what the others did.
            bound[name] = [*bound.get(name, ()), number] if name in reads else [number]
    return wanted


def names(text):
    """Return the sets of names that a block binds and that it reads from outside of itself."""
    visitor = _Names()
    try:
        visitor.visit(ast.parse(text))
    except SyntaxError:  # an exercise of Python, or IPython's own: nothing is known of it
        return set(), set()
    return visitor.binds, visitor.reads - set(dir(builtins))


class _Names(ast.NodeVisitor):
    """Walks a block in the order in which it runs."""

    def __init__(self):
        self.binds, self.reads, self.local = set(), set(), [set()]

    def bind(self, name):
        (self.local[-1] if len(self.local) > 1 else self.binds).add(name)

    def visit_Name(self, node):
        known = any(node.id in names for names in self.local) or node.id in self.binds
        if isinstance(node.ctx, ast.Load):
            self.reads |= set() if known else {node.id}
        else:
            self.bind(node.id)

    def visit_Assign(self, node):
        self.visit(node.value)
        for target in node.targets:
            self._changes(target)
            self.visit(target)

    def visit_AugAssign(self, node):
        self.visit(node.value)
        self._changes(node.target, always=True)
        self.visit(node.target)

    def visit_For(self, node):
        for part in (node.iter, node.target, *node.body, *node.orelse):
            self.visit(part)

    def _changes(self, target, always=False):
        """x[0] = … and x += … change what x was: they read it, and bind it anew."""
        inner = target
        while isinstance(inner, ast.Subscript | ast.Attribute):
            inner = inner.value
        if isinstance(inner, ast.Name) and (always or inner is not target):
            self.visit_Name(ast.Name(inner.id, ast.Load()))
            self.bind(inner.id)

    def visit_Import(self, node):
        for alias in node.names:
            self.bind((alias.asname or alias.name).partition(".")[0])

    visit_ImportFrom = visit_Import

    def visit_FunctionDef(self, node):
        for part in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults):
            if part is not None:
                self.visit(part)
        self.bind(node.name)
        self._scope(node.body, node.args)

    def visit_Lambda(self, node):
        self._scope([node.body], node.args)

    def visit_ClassDef(self, node):
        for part in (*node.decorator_list, *node.bases):
            self.visit(part)
        self.bind(node.name)
        self._scope(node.body, None)

    def _scope(self, body, arguments):
        every = []
        if arguments is not None:
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            every += [one for one in (arguments.vararg, arguments.kwarg) if one]
        self.local.append({argument.arg for argument in every})
        for part in body:
            self.visit(part)
        self.local.pop()

    def _comprehension(self, node):
        self.local.append(set())
        for generator in node.generators:
            self.visit(generator)
        for field in ("elt", "key", "value"):
            if hasattr(node, field):
                self.visit(getattr(node, field))
        self.local.pop()

    def visit_comprehension(self, node):
        for part in (node.iter, node.target, *node.ifs):
            self.visit(part)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension
