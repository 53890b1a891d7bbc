/* ask(): one reading of the heap answers several questions.
 *
 * From the first raw pointer to the last use of one the GIL is held, the collector is
 * off and no Python code runs. Answers are text and numbers; only where `objects` is
 * given do they refer to what they speak of. */
#include <stdlib.h>
#include <string.h>

#include "question.h"

static void bar(krs_reading *reading, const void *address, int is_asked) {
    krs_node node = krs_graph_find(reading->heap.graph, address);
    if (node == KRS_NODE_NONE)
        return;
    reading->barred[node] = 1;
    reading->asked[node] |= (uint8_t)is_asked;
}

/* What a walk owns goes with the targets; the references by which the walk itself holds
 * it do not count. */
static void bar_owned(krs_reading *reading, const krs_walk *walk) {
    for (size_t i = 0; i < walk->held_count; i++) {
        krs_node node = krs_graph_find(reading->heap.graph, walk->held[i]);
        bar(reading, walk->held[i], 1);
        if (node != KRS_NODE_NONE && reading->heap.unexplained[node] != INT64_MAX)
            reading->heap.unexplained[node]--;
    }
}

static void bar_all(krs_reading *reading) {
    const krs_question *question = reading->question;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(question->targets); i++)
        bar(reading, PyList_GET_ITEM(question->targets, i), 1);
    if (question->owned != NULL)
        bar_owned(reading, &((krs_owned *)question->owned)->walk);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(question->ours); i++)
        bar(reading, PyList_GET_ITEM(question->ours, i), 0);
    bar(reading, question->ours, 0);
    bar(reading, question->targets, 0);
    bar(reading, question->natives, 0);
    bar(reading, question->native_bytes, 0);
}

/* Paths from the roots, and the way back: for all questions but that about types. */
static krs_status find_paths(krs_reading *reading) {
    size_t count = krs_graph_node_count(reading->heap.graph);
    reading->barred = calloc(count, 1);
    reading->asked = calloc(count, 1);
    reading->parent = malloc(count * sizeof *reading->parent);
    if (reading->barred == NULL || reading->asked == NULL || reading->parent == NULL)
        return KRS_NOMEM;
    bar_all(reading);
    krs_status status =
        krs_heap_paths(&reading->heap, reading->barred, reading->parent);
    if (status == KRS_OK)
        status = krs_referrers_new(reading->heap.graph, &reading->referrers);
    return status;
}

static krs_status start(krs_reading *reading, krs_state *state,
                        const krs_question *question) {
    memset(reading, 0, sizeof *reading);
    reading->state = state;
    reading->question = question;
    krs_heap_rules rules = {.lean = question->lean,
                            .own_path = state->own_path,
                            .references = &state->rules};
    krs_status status = krs_heap_graph_read(&reading->heap, &rules, question->targets);
    if (status == KRS_OK &&
        (PyList_GET_SIZE(question->targets) > 0 || question->top > 0))
        status = find_paths(reading);
    return status;
}

static void finish(krs_reading *reading) {
    krs_referrers_free(reading->referrers);
    free(reading->barred);
    free(reading->asked);
    free(reading->parent);
    krs_heap_graph_clear(&reading->heap);
}

/* Puts an answer into the dict; steals it. */
static int put(PyObject *answers, const char *name, PyObject *answer) {
    int failed = answer == NULL || PyDict_SetItemString(answers, name, answer) < 0;
    Py_XDECREF(answer);
    return failed ? -1 : 0;
}

static PyObject *graph_figures(const krs_reading *reading) {
    const krs_graph *graph = reading->heap.graph;
    return Py_BuildValue("(IK)", krs_graph_node_count(graph),
                         (unsigned long long)krs_graph_edge_count(graph));
}

static PyObject *answers_of(krs_reading *reading) {
    const krs_question *question = reading->question;
    PyObject *answers = PyDict_New();
    if (answers == NULL)
        return NULL;
    int failed = put(answers, "graph", graph_figures(reading));
    if (!failed && PyList_GET_SIZE(question->targets) > 0) {
        failed = put(answers, "held", krs_answer_held(reading));
        if (!failed)
            failed = put(answers, "keeps", krs_answer_keeps(reading));
    }
    if (!failed && question->types > 0)
        failed = put(answers, "types", krs_answer_types(reading));
    if (!failed && question->top > 0)
        failed = put(answers, "top", krs_answer_top(reading));
    if (failed)
        Py_CLEAR(answers);
    return answers;
}

static PyObject *answer(krs_state *state, const krs_question *question) {
    krs_reading reading;
    int was_enabled = PyGC_Disable();
    krs_status status = start(&reading, state, question);
    PyObject *answers = NULL;
    if (status == KRS_OK)
        answers = answers_of(&reading);
    else if (!PyErr_Occurred())
        krs_raise(status, "reading the heap");
    finish(&reading);
    if (was_enabled)
        PyGC_Enable();
    return answers;
}

static int check_sizes(PyObject *sizes) {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(sizes); i++) {
        if (!PyLong_Check(PyList_GET_ITEM(sizes, i))) {
            PyErr_SetString(PyExc_TypeError, "native_bytes: a list of int");
            return -1;
        }
    }
    return 0;
}

static int check_question(const krs_question *question) {
    const char *wrong = NULL;
    if (question->limit < 1)
        wrong = "limit: at least 1";
    else if (question->types < 0 || question->top < 0)
        wrong = "types and top: not below 0";
    else if (PyList_GET_SIZE(question->natives) !=
             PyList_GET_SIZE(question->native_bytes))
        wrong = "natives and native_bytes: lists of one length";
    else if (question->objects && question->fork)
        wrong = "objects cannot come out of another process";
    if (wrong == NULL)
        return check_sizes(question->native_bytes);
    PyErr_SetString(PyExc_ValueError, wrong);
    return -1;
}

PyObject *krs_py_ask(PyObject *module, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"ours",         "targets", "owned", "natives",
                            "native_bytes", "limit",   "types", "top",
                            "objects",      "lean",    "fork",  NULL};
    krs_state *state = krs_state_of(module);
    krs_question question = {.limit = 64, .lean = 1};
    PyObject *owned = Py_None;
    if (!PyArg_ParseTupleAndKeywords(
            arguments, keywords, "O!O!OO!O!|$nnnppp:ask", names, &PyList_Type,
            &question.ours, &PyList_Type, &question.targets, &owned, &PyList_Type,
            &question.natives, &PyList_Type, &question.native_bytes, &question.limit,
            &question.types, &question.top, &question.objects, &question.lean,
            &question.fork) ||
        check_question(&question) < 0)
        return NULL;
    if (owned != Py_None && !Py_IS_TYPE(owned, state->owned_type)) {
        PyErr_SetString(PyExc_TypeError, "owned: an Owned or None");
        return NULL;
    }
    question.owned = owned == Py_None ? NULL : owned;
    return question.fork ? krs_answer_in_child(answer, state, &question)
                         : answer(state, &question);
}
