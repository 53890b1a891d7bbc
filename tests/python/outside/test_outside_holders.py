"""Holders of every kind are named from outside, in words that can be typed; the process
that is read goes on as if nobody had looked."""

import pytest
import reader

PATHS = {
    "plain": 'variable "plain"',
    "in_list": 'variable "models"[2]',
    "in_dict": "variable \"table\"['a']['best'][1]",
    "in_umlaut": "variable \"table\"['ö']",
    "by_negative": 'variable "by_number"[-3]',
    "by_large": 'variable "by_number"[1099511627776]',
    "by_tuple": "variable \"by_number\"[(1, 'x')]",
    "in_set": 'variable "members", a member',
    "in_deque": 'variable "queue"[70]',
    "in_ordered": "variable \"ordered\"['a']",
    "in_defaultdict": "variable \"missing\"['a']",
    "in_attribute": 'variable "holder" → Holder.model',
    "in_slot": 'variable "slotted" → Slotted.kept',
    "in_closure": "variable \"captured\" → closure 'm' of inner",
    "in_method": 'variable "bound" → method Holder.method → Holder.model',
    "in_generator": "variable \"waiting\" → generator generate, local 'model'",
    "in_bounded_cache": "variable \"bounded\" → lru_cache result for 'k'",
    "in_cache": 'variable "unbounded" → lru_cache result for 3',
    "in_partial": 'variable "partial" → partial.args[0]',
    "weakly_and_by_list": 'variable "weak_keeper"[0]',
    "in_dict_of_instance": 'variable "materialized" → Holder.model',
    "in_default": "variable \"defaults\" → default argument 'model' of defaults",
    "in_keyword_default": "variable \"defaults\" → default argument 'key' of defaults",
}
FIXES = {
    "plain": "del plain",
    "in_list": "del models[2]",
    "in_dict": "del table",  # a tuple lets go of nothing
    "in_set": "members.discard(...)",
    "in_generator": "waiting.close()",
    "in_cache": "unbounded.cache_clear()",
    "in_traceback": "caught.__traceback__ = None",
    "in_local": "del local in main(), or return from it",
}


@pytest.fixture(scope="module")
def program():
    with reader.Program(reader.HOLDERS) as running:
        yield running


@pytest.fixture(scope="module")
def told(program):
    return reader.read(program.pid)


def only_path(told, name):
    (holder,) = told["by_name"][name]["holders"]
    return holder["path"]


@pytest.mark.parametrize("name", PATHS)
def test_a_holder_is_named_as_in_the_process_itself(told, name):
    assert only_path(told, name) == PATHS[name]


@pytest.mark.parametrize("name", FIXES)
def test_what_to_type_is_told(told, name):
    assert [h["fix"] for h in told["by_name"][name]["holders"]] == [FIXES[name]]


def line_of(text):
    lines = reader.HOLDERS.read_text().splitlines()
    (number,) = [i for i, line in enumerate(lines, 1) if line.strip() == text]
    return number


def test_running_functions_are_named_with_thread_and_line(told):
    # The line that runs waits for a lock, or for a line to read.
    assert only_path(told, "in_thread") == (
        "frame train() thread \"w-1\", local 'inside' "
        f"(holders_target.py:{line_of('stop.wait()')})"
    )
    assert only_path(told, "in_local") == (
        "frame main(), local 'local' "
        f"(holders_target.py:{line_of('for _ in sys.stdin:')})"
    )


def test_a_traceback_is_named_with_its_function_and_line(told):
    line = line_of("raise ValueError(lost.name)")
    assert only_path(told, "in_traceback") == (
        "variable \"caught\" → error ValueError, local 'lost' in fail() "
        f"(holders_target.py:{line})"
    )


def test_variables_are_counted_by_shape_and_dtype(told):
    whole = told["by_name"]["whole"]
    assert (whole["weights"], whole["weight_bytes"]) == (2, 3 * 4 * 4 + 4 * 8)
    assert (whole["optimizer_variables"], whole["optimizer_bytes"]) == (2, 48 + 8)
    assert whole["unsized"] == 0


def test_a_part_of_a_model_is_told_only_where_it_is_asked_for(program, told):
    assert "part" not in told["by_name"]
    part = reader.read(program.pid, "part")["by_name"]["part"]
    assert part["part_of"] == "whole"
    assert part["type"] == "keras.src.models.model.Model"


def test_models_are_chosen_by_name_or_class(program):
    (net,) = reader.read(program.pid, "Net")["models"]
    assert (net["name"], net["type"]) == ("in_attribute", "__main__.Net")
    absent = reader.why(program.pid, "nobody")
    assert absent.returncode == reader.ABSENT
    assert "no model called 'nobody'" in absent.stderr


def test_the_process_goes_on_as_before(program):
    before = program.ask()
    assert before.isdigit()
    for _ in range(5):
        reader.read(program.pid)
    assert program.ask() == before


def test_the_text_has_what_the_data_has(program, told):
    text = reader.why(program.pid).stdout
    for model in told["models"]:
        assert f'"{model["name"]}"' in text
        for holder in model["holders"]:
            assert holder["path"] in text
            assert f"to let go: {holder['fix']}" in text


def test_the_data_says_how_it_came_about(told):
    assert told["schema_version"] == 1
    assert told["source"] == "outside"
    assert told["python"] == "{}.{}.{}".format(*__import__("sys").version_info)
    assert not told["stopped"]
    assert told["torn"] == 0
    assert 1 <= told["tries"] <= 4  # it may just be on its way to wait for a line
    assert told["objects"] > 1000
    assert 0 < told["bytes_read"] < 1 << 28
