/* keraser._core.Owned: what would die with some objects, and the way to let it.
 *
 * An Owned holds strong references, so nothing it speaks of dies under it; it is not
 * itself seen by the collector, which therefore takes those objects for alive until
 * release(). */
#include "owned.h"

#include <string.h>

#include "collect.h"
#include "enumerate.h"
#include "state.h"

static krs_state *state_of(PyObject *self) {
    return PyType_GetModuleState(Py_TYPE(self));
}

static int check_items(PyObject *list, PyTypeObject *type, const char *message) {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
        if (!PyObject_TypeCheck(PyList_GET_ITEM(list, i), type)) {
            PyErr_SetString(PyExc_TypeError, message);
            return -1;
        }
    }
    return 0;
}

static int check_start(const krs_walk_start *start) {
    if (PyList_GET_SIZE(start->groups) >= KRS_WALK_LABELS) {
        PyErr_Format(PyExc_ValueError, "at most %d groups", KRS_WALK_LABELS - 1);
        return -1;
    }
    if (check_items(start->groups, &PyList_Type, "groups: a list of lists") < 0)
        return -1;
    return check_items(start->namespaces, &PyDict_Type, "namespaces: a list of dicts");
}

static PyObject *owned_new(PyTypeObject *type, PyObject *arguments,
                           PyObject *keywords) {
    static char *names[] = {"seeds", "groups", "ours", "given", "namespaces", NULL};
    krs_walk_start start = {0};
    if (!PyArg_ParseTupleAndKeywords(
            arguments, keywords, "O!O!O!O!O!:Owned", names, &PyList_Type, &start.seeds,
            &PyList_Type, &start.groups, &PyList_Type, &start.ours, &PyList_Type,
            &start.given, &PyList_Type, &start.namespaces) ||
        check_start(&start) < 0)
        return NULL;
    krs_state *state = PyType_GetModuleState(type);
    start.sizeof_name = state->sizeof_name;
    start.local_mark = state->local_mark;
    start.own_path = state->own_path;
    start.rules = &state->rules;
    krs_owned *self = (krs_owned *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    krs_status status = krs_walk_run(&self->walk, &start);
    if (status == KRS_OK)
        return (PyObject *)self;
    Py_DECREF(self);
    return krs_raise(status, "walking the model");
}

static void owned_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    krs_walk_clear(&((krs_owned *)self)->walk);
    type->tp_free(self);
    Py_DECREF(type);
}

static int owned_contains(PyObject *self, PyObject *object) {
    return krs_walk_find_held(&((krs_owned *)self)->walk, object) != KRS_NODE_NONE;
}

static PyObject *owned_outside(PyObject *self, PyObject *object) {
    krs_walk *walk = &((krs_owned *)self)->walk;
    krs_node node = walk->graph ? krs_graph_find(walk->graph, object) : KRS_NODE_NONE;
    if (node == KRS_NODE_NONE) {
        PyErr_SetObject(PyExc_KeyError, object);
        return NULL;
    }
    return PyLong_FromLongLong(walk->outside[node]);
}

static PyObject *owned_instances(PyObject *self, PyObject *type) {
    if (!PyType_Check(type)) {
        PyErr_SetString(PyExc_TypeError, "instances() takes a type");
        return NULL;
    }
    krs_walk *walk = &((krs_owned *)self)->walk;
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list != NULL && i < walk->held_count; i++) {
        if (PyType_IsSubtype(Py_TYPE(walk->held[i]), (PyTypeObject *)type) &&
            PyList_Append(list, walk->held[i]) < 0)
            Py_CLEAR(list);
    }
    return list;
}

typedef struct {
    const krs_walk *walk;
    PyObject *alive; /* list */
} krs_survivors;

/* An object at the address of one that the walk held is that object: whatever was made
 * since is in generation 0. */
static int add_survivor(PyObject *object, void *context) {
    krs_survivors *survivors = context;
    if (krs_walk_find_held(survivors->walk, object) == KRS_NODE_NONE)
        return 0;
    return PyList_Append(survivors->alive, object);
}

/* Those still alive after a young collection of exactly the objects of `walk`: it has
 * moved them to generation 1, and nothing else of the heap is touched. */
static PyObject *still_alive(const krs_walk *walk) {
    krs_survivors survivors = {walk, PyList_New(0)};
    if (survivors.alive != NULL &&
        krs_enumerate_generation(krs_enumerate_choose(), 1, add_survivor, &survivors))
        Py_CLEAR(survivors.alive);
    return survivors.alive;
}

/* The same when another thread's collection came between, which has moved them on. What
 * was made before the last of these at the address of one that died is taken for it:
 * too much is told to be alive, never too little. */
static PyObject *still_alive_anywhere(krs_state *state, const krs_walk *walk) {
    if (!PyErr_ExceptionMatches(PyExc_RuntimeError))
        return NULL;
    PyErr_Clear();
    if (krs_collect_in_turn(state, 0) < 0)
        return NULL;
    krs_survivors survivors = {walk, PyList_New(0)};
    if (survivors.alive != NULL &&
        krs_enumerate_old(krs_enumerate_choose(), 1, add_survivor, &survivors))
        Py_CLEAR(survivors.alive);
    return survivors.alive;
}

/* The collector is off meanwhile, so that no collection of its own moves a survivor on
 * to an older generation, where still_alive() would not look. */
static PyObject *owned_release(PyObject *self, PyObject *unused) {
    (void)unused;
    krs_state *state = state_of(self);
    if (((krs_owned *)self)->walk.graph == NULL) {
        PyErr_SetString(PyExc_ValueError, "released already");
        return NULL;
    }
    if (krs_collect_in_turn(state, 0) < 0)
        return NULL;
    krs_walk walk = ((krs_owned *)self)->walk;
    memset(&((krs_owned *)self)->walk, 0, sizeof walk);
    int was_enabled = PyGC_Disable();
    krs_collect_rejuvenate(walk.held, walk.held_count);
    for (size_t i = 0; i < walk.held_count; i++)
        Py_DECREF(walk.held[i]);
    walk.held_count = 0;
    Py_ssize_t collected = krs_collect_young(state);
    PyObject *alive =
        collected < 0 ? still_alive_anywhere(state, &walk) : still_alive(&walk);
    if (was_enabled)
        PyGC_Enable();
    krs_walk_clear(&walk);
    return alive == NULL ? NULL : Py_BuildValue("nN", collected, alive);
}

static PyObject *owned_forget(PyObject *self, PyObject *unused) {
    (void)unused;
    krs_walk_clear(&((krs_owned *)self)->walk);
    Py_RETURN_NONE;
}

static PyObject *labels_tuple(const uint64_t figures[KRS_WALK_LABELS]) {
    PyObject *tuple = PyTuple_New(KRS_WALK_LABELS);
    for (Py_ssize_t i = 0; tuple != NULL && i < KRS_WALK_LABELS; i++) {
        PyObject *figure = PyLong_FromUnsignedLongLong(figures[i]);
        if (figure == NULL)
            Py_CLEAR(tuple);
        else
            PyTuple_SET_ITEM(tuple, i, figure);
    }
    return tuple;
}

static PyObject *owned_get_objects(PyObject *self, void *unused) {
    (void)unused;
    return labels_tuple(((krs_owned *)self)->walk.objects);
}

static PyObject *owned_get_bytes(PyObject *self, void *unused) {
    (void)unused;
    return labels_tuple(((krs_owned *)self)->walk.bytes);
}

static PyObject *owned_get_tracked(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromSize_t(((krs_owned *)self)->walk.held_count);
}

static PyObject *owned_get_visited(PyObject *self, void *unused) {
    (void)unused;
    krs_walk *walk = &((krs_owned *)self)->walk;
    return PyLong_FromUnsignedLong(walk->graph ? krs_graph_node_count(walk->graph) : 0);
}

PyDoc_STRVAR(owned_doc,
             "Owned(seeds, groups, ours, given, namespaces)\n--\n\n"
             "Trial deletion: what would die if the objects of `seeds` were let go.\n\n"
             "`groups` is a list of lists that start the labels 1, 2, ... by which\n"
             "`objects` and `bytes` are told apart. References from the lists\n"
             "themselves, from the containers in `ours` and from variables of\n"
             "keraser's own functions do not count as holding, nor do names bound to\n"
             "an object in the list `given`: variables of functions running on this\n"
             "thread, and entries of the dicts in `namespaces`.");
PyDoc_STRVAR(outside_doc,
             "outside($self, thing, /)\n--\n\n"
             "References to a visited object that the walk does not explain.");
PyDoc_STRVAR(instances_doc, "instances($self, kind, /)\n--\n\n"
                            "The owned, tracked objects of a type, as a new list.");
PyDoc_STRVAR(release_doc,
             "release($self, /)\n--\n\n"
             "Lets everything go, collects it, returns (collected, still alive).\n\n"
             "Raises RuntimeError inside a running collection.");

PyDoc_STRVAR(forget_doc, "forget($self, /)\n--\n\n"
                         "Drops the references, so that another walk may be made.");

static PyMethodDef owned_methods[] = {
    {"forget", owned_forget, METH_NOARGS, forget_doc},
    {"outside", owned_outside, METH_O, outside_doc},
    {"instances", owned_instances, METH_O, instances_doc},
    {"release", owned_release, METH_NOARGS, release_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef owned_attributes[] = {
    {"objects", owned_get_objects, NULL, "owned objects by label", NULL},
    {"bytes", owned_get_bytes, NULL, "their own bytes, by label", NULL},
    {"tracked", owned_get_tracked, NULL, "owned objects the collector tracks", NULL},
    {"visited", owned_get_visited, NULL, "objects the walk came to", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot owned_slots[] = {
    {Py_tp_new, owned_new},
    {Py_tp_dealloc, owned_dealloc},
    {Py_tp_doc, (void *)owned_doc},
    {Py_tp_methods, owned_methods},
    {Py_tp_getset, owned_attributes},
    {Py_sq_contains, owned_contains},
    {0, NULL},
};

PyType_Spec krs_owned_spec = {
    .name = "keraser._core.Owned",
    .basicsize = sizeof(krs_owned),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = owned_slots,
};
