"""Every mistake is called by its name, and nothing else is.

Two tables: mistakes planted in the text of solutions (`tests/solutions/mistakes/`), and those that
the checks know (`Mistake`), each imitated, beside its neighbours: the same mistake in one example
only, and the same mistake with one more number wrong. A wrong diagnosis is worse than none.
"""

from dataclasses import replace

import numpy as np
import pytest
from solutions.mistakes import ENDLESS, NUMBERS
from solutions.table import diagnose, planted, solution, write

from tinyunet.exercises import EXERCISES, _checks
from tinyunet.exercises.cases import Mistake, Output
from tinyunet.exercises.diagnose import alike, same
from tinyunet.exercises.learner import Learner, Wrong
from tinyunet.exercises.run import check_here
from tinyunet.exercises.task import Task

PLANTED = planted()
TASKS = {
    task.function: task
    for module in vars(_checks).values()
    for task in getattr(module, "TASKS", ())
}
TWO_FORMS = [f"{number:02}" for number in (*range(1, 7), 8, 9, 10, 12, 13)]


@pytest.mark.parametrize("e", EXERCISES, ids=lambda e: e.name)
def test_planted_mistakes_are_told_rightly(e, tmp_path):
    wrong = []
    for row in PLANTED:
        if row.number == e.number:
            result, right = diagnose(row, tmp_path)
            assert "\n" not in result.diagnosis
            endless = ("stopped",) if row.expected == ENDLESS else ()
            assert result.status in ("wrong", "not yet written", "passed", *endless)
            if not right:
                wrong.append(f"{row.form}: {row.title}\n  wanted {row.expected!r}\n  got {result}")
    assert not wrong, "\n".join(wrong)


def test_there_are_enough_planted_mistakes_in_both_forms_and_none_twice():
    assert len(PLANTED) >= 250
    assert len({row[:4] for row in PLANTED}) == len(PLANTED)
    for e in EXERCISES:
        rows = [row for row in PLANTED if row.number == e.number]
        assert len(rows) >= 20, e.name
        assert any(row.expected is NUMBERS for row in rows), e.name
        forms = {"loops", "arrays"} if e.number in TWO_FORMS else {"loops"}
        assert {row.form for row in rows} == forms, e.name


@pytest.mark.parametrize("form", ["loops", "arrays"])
@pytest.mark.parametrize("e", EXERCISES, ids=lambda e: e.name)
def test_the_reference_solutions_pass(e, form, tmp_path):
    if form == "arrays" and e.number not in TWO_FORMS:
        pytest.skip("one form only")
    row = next(row for row in PLANTED if row.number == e.number)
    path = write(row._replace(form=form, old="", new=""), tmp_path)
    path.write_text(solution(e.number, form), encoding="utf-8")
    result = check_here(e, path)
    assert (result.passed, result.diagnosis, result.line) == (True, "", None)
    assert result.steps[0] == ("the file can be imported", True)
    assert len(result.steps) >= 2


# The mistakes that the checks know


class Imitation:
    """A learner whose function is an imitation."""

    def __init__(self, function):
        self._function, self.line, self.provisional = function, None, None

    def function(self, name):
        def careful(*inputs):
            try:
                return self._function(*inputs)
            except Exception as error:  # as `Learner` does with any error of theirs
                raise Wrong(f"{name} stopped: {error}", crashed=True) from error

        return careful


def remembered(function):
    """The function, called once with the same inputs: those of a case are the same objects."""
    memory = {}

    def made(*inputs):
        key = tuple(map(id, inputs))
        if key not in memory:
            try:
                with np.errstate(all="ignore"):
                    memory[key] = inputs, function(*inputs), None
            except Exception as error:
                memory[key] = inputs, None, error
        if memory[key][2] is not None:
            raise memory[key][2]
        return memory[key][1]

    return made


def quick(task):
    """The task without the learner's way of being called, and with a memory."""

    def of(mistakes):
        return tuple(Mistake(m.says, remembered(m.made)) for m in mistakes)

    outputs = task.outputs
    if not callable(outputs):
        outputs = tuple(replace(o, mistakes=of(o.mistakes)) for o in outputs)
    cases = task.cases()
    directly = Task.__dataclass_fields__["through"].default
    return replace(
        task,
        right=remembered(task.right),
        outputs=outputs,
        mistakes=of(task.mistakes),
        cases=lambda: cases,
        through=directly,
    )


def told(task, function):
    """(case that fails, diagnosis) of a function; (None, "") if it passes."""
    steps, title = task.check(Imitation(function)), None
    try:
        while True:
            title = next(steps)
    except StopIteration:
        return None, ""
    except Wrong as wrong:
        return title, str(wrong)


def imitations(task):
    """Yield (mistake, output or None, function that makes the mistake) of all that a task knows."""
    if task.joint or len(task.outputs) == 1:
        own = () if callable(task.outputs) else task.outputs[0].mistakes
        for mistake in (*own, *task.mistakes):
            yield mistake, None, mistake.made
        return
    for position, output in enumerate(task.outputs):
        for mistake in (*output.mistakes, *task.mistakes):
            whole = mistake in task.mistakes
            yield mistake, position, in_one_output(task, mistake, position, whole)


def in_one_output(task, mistake, position, whole):
    def function(*inputs):
        parts, made = list(task.right(*inputs)), mistake.made(*inputs)
        parts[position] = made[position] if whole else made
        return tuple(parts)

    return function


def parts(task, position, result):
    """What of a function's result the mistake is about."""
    if position is not None:
        return [result[position]]
    return [result] if not callable(task.outputs) and len(task.outputs) == 1 else list(result)


def answers(task, function, position, level):
    """The function's answers to the general cases up to a level; None where it stops."""
    for case in task.cases():
        if case.general and case.level <= level:
            try:
                yield parts(task, position, function(*case.inputs))
            except (ValueError, IndexError, TypeError, ZeroDivisionError):
                yield None


def look_alike(task, position, one, other, level):
    """Whether two functions cannot be told apart by the general cases up to a level."""
    return all(
        (a is None or b is None) or all(alike(x, y, 1e-9) for x, y in zip(a, b, strict=True))
        for a, b in zip(
            answers(task, one, position, level), answers(task, other, position, level), strict=True
        )
    )


def text_of(task, mistake, position, diagnosis):
    """The mistake's text with the output's name in it."""
    if "{name}" not in mistake.says:
        return mistake.says
    names = [o.name for case in task.cases() for o in task.outputs_of(case)]
    return next((t for n in names if (t := mistake.says.replace("{name}", n)) in diagnosis), "none")


@pytest.mark.parametrize("name", TASKS)
def test_every_mistake_is_told_as_itself(name):
    task, seen = quick(TASKS[name]), 0
    for mistake, position, function in imitations(task):
        title, diagnosis = told(task, function)
        if title is None:  # dbias, say, does not show that rows were reversed: that is allowed
            assert look_alike(task, position, function, task.right, 99), mistake.says
            continue
        seen += 1
        if text_of(task, mistake, position, diagnosis) in diagnosis:
            continue
        # Only if nothing that the learner has come to so far tells the two apart.
        level = max(case.level for case in task.cases() if case.title == title)
        others = [
            f
            for m, p, f in imitations(task)
            if p == position and text_of(task, m, p, diagnosis) in diagnosis
        ]
        assert others or "stopped" in diagnosis, (mistake.says, diagnosis)
        for other in others[:1]:
            assert look_alike(task, position, function, other, level), (mistake.says, diagnosis)
    assert seen >= 10


@pytest.mark.parametrize("name", TASKS)
def test_a_mistake_in_one_example_only_has_no_name(name):
    task = quick(TASKS[name])
    for mistake, position, function in imitations(task):
        first = next(
            (c for c in task.cases() if c.general and shows(task, position, function, c)), None
        )
        if first is None:
            continue

        def once(*inputs, first=first, function=function):
            same_inputs = len(inputs) == len(first.inputs) and all(
                a is b for a, b in zip(inputs, first.inputs, strict=True)
            )
            return (function if same_inputs else task.right)(*inputs)

        _, diagnosis = told(task, once)
        assert diagnosis, mistake.says
        fits = text_of(task, mistake, position, diagnosis) in diagnosis
        alone = sum(c.general and c.level <= first.level for c in task.cases()) == 1
        # Where the mistake looks right in all other examples, it is the mistake.
        elsewhere = [
            c
            for c in task.cases()
            if c.general and c.level <= first.level and c is not first
            and shows(task, position, function, c)
        ]  # fmt: skip
        assert not (fits and elsewhere), (mistake.says, diagnosis)
        assert not alone, f"{name} has one general case only"


def shows(task, position, function, case):
    """Whether the answer to a case is wrong, and an answer."""
    try:
        got = parts(task, position, function(*case.inputs))
    except (ValueError, IndexError, TypeError, ZeroDivisionError):
        return False
    want = parts(task, position, task.right(*case.inputs))
    return not all(same(g, w, case.tolerance) for g, w in zip(got, want, strict=True))


@pytest.mark.parametrize("name", TASKS)
def test_a_mistake_with_one_more_number_wrong_has_no_name(name):
    task = quick(TASKS[name])
    for mistake, position, function in imitations(task):

        def changed(*inputs, function=function, position=position):
            result = function(*inputs)
            place = position if position is not None else 0
            if callable(task.outputs) or len(task.outputs) > 1:
                spoilt = list(result)
                spoilt[place] = spoil(spoilt[place])
                return tuple(spoilt)
            return spoil(result)

        title, diagnosis = told(task, changed)
        assert title is not None, mistake.says
        assert text_of(task, mistake, position, diagnosis) not in diagnosis, diagnosis


def spoil(array):
    """The array with its last number moved by an amount that no mistake makes."""
    whole = np.asarray(array).dtype.kind != "f"
    array = np.array(array, dtype=np.int64 if whole else np.float64, order="C")
    array.reshape(-1)[-1:] += 3 if whole else 0.3217
    return array


@pytest.mark.parametrize("name", TASKS)
def test_general_cases_are_several_at_the_level_where_they_begin(name):
    levels = [case.level for case in TASKS[name].cases() if case.general]
    assert levels.count(min(levels)) >= (1 if name in ("forward", "backward") else 2)
    assert len(levels) >= 2


def test_general_sizes_never_coincide():
    for name, task in TASKS.items():
        for case in task.cases():
            if case.general and len(case.sizes) > 3:
                counts = list(case.sizes.values())
                assert len(set(counts)) == len(counts), (name, case.title, case.sizes)


def test_outputs_have_names_that_a_diagnosis_can_use():
    for task in TASKS.values():
        for case in task.cases():
            assert all(isinstance(o, Output) and o.name for o in task.outputs_of(case))


def test_a_learners_file_with_a_planted_mistake_is_not_kept_in_a_cache(tmp_path):
    row = next(row for row in PLANTED if row.number == "01")
    path = write(row, tmp_path)
    assert Learner(path).module.conv2d is not Learner(path).module.conv2d
    assert not list(tmp_path.glob("__pycache__"))
