/* keraser._core: the heap of this interpreter, for the Python side of keraser.
 *
 * This file is the table of contents. Every function parses, calls libkeraser and
 * converts. The module needs the GIL: it walks objects that other threads could
 * otherwise change. */
#include "attribute_layout.h"
#include "state.h"

PyDoc_STRVAR(
    process_doc,
    "process($module, /)\n--\n\n"
    "Resident set, its peak, what of it is files and shared memory, swap (all in\n"
    "bytes) and threads, as a dict.");
PyDoc_STRVAR(heap_doc, "heap($module, /)\n--\n\n"
                       "Bytes that malloc has handed out and keeps, as a dict.");
PyDoc_STRVAR(
    variables_doc,
    "variables($module, objects, /)\n--\n\n"
    "Variables of running functions that hold one of `objects` (a list).\n\n"
    "A list of (index, (thread, depth, file, function, line, name, is argument,\n"
    "in a cell)), depth 0 being the innermost function of a thread.");
PyDoc_STRVAR(instances_doc,
             "instances($module, types, limit=0, /)\n--\n\n"
             "Tracked objects of the types in a tuple, as a list: all, or those among\n"
             "the `limit` objects that were made last. Tuples as such are left out.");
PyDoc_STRVAR(
    count_doc,
    "count($module, types, /)\n--\n\n"
    "How many objects the collector tracks, and a list: how many of each type\n"
    "of a tuple, those of derived types included.");
PyDoc_STRVAR(count_types_doc,
             "count_types($module, /)\n--\n\n"
             "How many objects of each type the collector tracks, as a dict by type.");
PyDoc_STRVAR(
    stack_doc,
    "stack($module, depth, /)\n--\n\n"
    "What the running function at `depth` has in hand beside its variables, as\n"
    "a list: in __exit__, 1 is the function of the with statement, and this\n"
    "the value that it is returning. Empty where Python does not tell (3.10).");
PyDoc_STRVAR(
    survivors_doc,
    "survivors($module, ids, /)\n--\n\n"
    "Makes a full collection, and returns those of a list of id()s at which the\n"
    "collector tracks an object that has lived through it.");
PyDoc_STRVAR(
    ask_doc,
    "ask($module, ours, targets, owned, natives, native_bytes, /, *, limit=64,\n"
    "    types=0, top=0, objects=False, lean=True, fork=False)\n--\n\n"
    "Several questions to one reading of the heap, answered by a dict:\n\n"
    "'graph': (objects, references). 'held', for each of the list `targets`:\n"
    "(at most `limit` paths, the shortest first, references that nothing explains,\n"
    "garbage that holds it). 'keeps': (objects, bytes) that would go with the\n"
    "targets. 'types': (objects, bytes, the `types` largest). 'top': the `top`\n"
    "biggest owners, the memory `native_bytes` of `natives` included.\n\n"
    "`owned` is an Owned, which goes with the targets, or None; `ours` are lists and\n"
    "dicts of keraser's, which hold nothing. `lean` leaves plain values out, `fork`\n"
    "reads in a child process, `objects` puts objects into paths in place of ids.");
PyDoc_STRVAR(
    static_holders_doc,
    "static_holders($module, addresses, /)\n--\n\n"
    "Libraries with static variables that hold one of these addresses, which are in\n"
    "rising order: for each a list of (path, how many). Releases the GIL.");
PyDoc_STRVAR(seams_doc, "seams($module, /)\n--\n\n"
                        "Which way each version-dependent part goes, as a dict.");
PyDoc_STRVAR(collector_idle_doc,
             "collector_idle($module, /)\n--\n\n"
             "Collects the youngest generation; False inside a running collection.");
PyDoc_STRVAR(
    edge_doc,
    "edge($module, chain, nth=0, /)\n--\n\n"
    "How the first object of a list refers to the second, by its `nth`\n"
    "reference: (how, name or None, references of the chain that this covers).");
PyDoc_STRVAR(label_doc, "label($module, thing, /)\n--\n\n"
                        "Name of a function, type, module, frame..., or None.");
PyDoc_STRVAR(words_doc, "words($module, thing, /)\n--\n\n"
                        "The machine words of an object's own body, as a list of int.");
PyDoc_STRVAR(learn_arrays_doc,
             "learn_arrays($module, view, base, /)\n--\n\n"
             "Finds where arrays of this type refer to their base; False if nowhere.");

PyDoc_STRVAR(set_own_path_doc, "set_own_path($module, path, /)\n--\n\n"
                               "Folder whose functions hold nothing.");

PyDoc_STRVAR(
    trim_doc,
    "trim($module, /)\n--\n\n"
    "Gives back to the system what native pools keep and do not use; a list of\n"
    "dicts, one a pool: what it is called, why it was refused or None, and\n"
    "resident bytes before and after. Releases the GIL.");
PyDoc_STRVAR(
    gpus_doc,
    "gpus($module, /)\n--\n\n"
    "GPUs on which this process has a context, as the driver has them: a list of\n"
    "dicts, one a GPU: bytes in all and in use, by all processes; what its default\n"
    "memory pool holds, and of that has handed out; what failed or None.");
PyDoc_STRVAR(
    gpu_refusal_doc,
    "gpu_refusal($module, /)\n--\n\n"
    "Why the GPU driver of this process cannot be called; None if it can, or is not\n"
    "loaded.");
PyDoc_STRVAR(
    arm_gpu_doc,
    "arm_gpu($module, /)\n--\n\n"
    "From now on TensorFlow's pools of GPUs get memory in granules, which trim() can\n"
    "take one by one: (why not or None, whether the driver was called before).");
PyDoc_STRVAR(gpu_map_doc,
             "gpu_map($module, /)\n--\n\n"
             "Pools with their regions and chunks, and the figures of each GPU that\n"
             "they are part of; 'steady': the driver said the same before and after.\n"
             "Sizes are bytes.");
PyDoc_STRVAR(gpu_armed_doc, "gpu_armed($module, /)\n--\n\n"
                            "Whether arm_gpu() has done it.");
PyDoc_STRVAR(
    region_pools_doc,
    "region_pools($module, /)\n--\n\n"
    "The pools of TensorFlow whose free regions trim() would give back, as trim() has\n"
    "them; gives nothing back.");
PyDoc_STRVAR(
    copy_doc,
    "copy($module, pairs, *, into_readonly=False, threads=0)\n--\n\n"
    "Copies buffers: a list of tuples (to, from) of equal sizes, all C-contiguous.\n"
    "With into_readonly the caller vouches that nobody else knows the targets.\n"
    "Releases the GIL; returns the number of bytes. After an error nothing is copied.");
PyDoc_STRVAR(address_doc,
             "address($module, buffer, /)\n--\n\n"
             "Where the memory of a buffer begins: equal if it is shared.");
PyDoc_STRVAR(
    capabilities_doc,
    "capabilities($module, /)\n--\n\n"
    "What was found and verified of the TensorFlow in this process: tuples of\n"
    "symbol or check, whether it works, and a note. Empty without TensorFlow.");
PyDoc_STRVAR(tensorflow_hash_doc,
             "tensorflow_hash($module, name, /)\n--\n\n"
             "The hash by which TensorFlow knows a C++ type of this mangled name.");

PyDoc_STRVAR(collapse_doc,
             "collapse($module, /)\n--\n\n"
             "Joins small pages of this process into huge ones, which makes a fork\n"
             "quicker: bytes in huge pages, 0 where the kernel cannot.");
PyDoc_STRVAR(
    serve_doc,
    "serve($module, listener, lease, parent, broken, hazard, /)\n--\n\n"
    "Serves trials to the clients of the descriptor `listener` by forks of this\n"
    "process, until the descriptor `lease` or the process `parent` ends: None.\n"
    "Returns in each worker as well, with the descriptor of its channel. `broken`,\n"
    "unless None, is why all are refused; `hazard()` says why not to fork, or None.");
PyDoc_STRVAR(listen_doc, "listen($module, /)\n--\n\n"
                         "A listening socket and its name: (descriptor, bytes).");
PyDoc_STRVAR(connect_doc, "connect($module, name, /)\n--\n\n"
                          "A connection to the socket of this name.");
PyDoc_STRVAR(
    send_doc,
    "send($module, socket, kind, trial, values, text=b'', descriptor=-1, /)\n--\n\n"
    "Sends a frame of wire/protocol.h. The descriptor stays the caller's.");
PyDoc_STRVAR(
    receive_doc,
    "receive($module, socket, milliseconds=-1, /)\n--\n\n"
    "Waits for a frame: (kind, trial, values, text, descriptor or -1), None at the\n"
    "end. TimeoutError where none comes, ValueError for what is no frame.");
PyDoc_STRVAR(protocol_doc, "protocol($module, /)\n--\n\n"
                           "The numbers of wire/protocol.h by list and name.");

/* The folder of the Python package is where its __init__ says, which in an editable
 * install is not beside this library. The package sets it by set_own_path(). */
static PyObject *set_own_path(PyObject *module, PyObject *path) {
    if (!PyUnicode_Check(path) || PyUnicode_GET_LENGTH(path) == 0) {
        PyErr_SetString(PyExc_TypeError, "set_own_path() takes a path");
        return NULL;
    }
    Py_XSETREF(krs_state_of(module)->own_path, Py_NewRef(path));
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"process", krs_py_process, METH_NOARGS, process_doc},
    {"heap", krs_py_heap, METH_NOARGS, heap_doc},
    {"variables", krs_py_variables, METH_O, variables_doc},
    {"instances", krs_py_instances, METH_VARARGS, instances_doc},
    {"count", krs_py_count, METH_O, count_doc},
    {"count_types", krs_py_count_types, METH_NOARGS, count_types_doc},
    {"stack", krs_py_stack, METH_VARARGS, stack_doc},
    {"survivors", krs_py_survivors, METH_O, survivors_doc},
    {"ask", (PyCFunction)(void (*)(void))krs_py_ask, METH_VARARGS | METH_KEYWORDS,
     ask_doc},
    {"static_holders", krs_py_static_holders, METH_O, static_holders_doc},
    {"seams", krs_py_seams, METH_NOARGS, seams_doc},
    {"collector_idle", krs_py_collector_idle, METH_NOARGS, collector_idle_doc},
    {"edge", krs_py_edge, METH_VARARGS, edge_doc},
    {"label", krs_py_label, METH_O, label_doc},
    {"words", krs_py_words, METH_O, words_doc},
    {"learn_arrays", krs_py_learn_arrays, METH_VARARGS, learn_arrays_doc},
    {"trim", krs_py_trim, METH_NOARGS, trim_doc},
    {"gpus", krs_py_gpus, METH_NOARGS, gpus_doc},
    {"gpu_refusal", krs_py_gpu_refusal, METH_NOARGS, gpu_refusal_doc},
    {"arm_gpu", krs_py_arm_gpu, METH_NOARGS, arm_gpu_doc},
    {"gpu_map", krs_py_gpu_map, METH_NOARGS, gpu_map_doc},
    {"gpu_armed", krs_py_gpu_armed, METH_NOARGS, gpu_armed_doc},
    {"region_pools", krs_py_region_pools, METH_NOARGS, region_pools_doc},
    {"copy", (PyCFunction)(void (*)(void))krs_py_copy, METH_VARARGS | METH_KEYWORDS,
     copy_doc},
    {"address", krs_py_address, METH_O, address_doc},
    {"capabilities", krs_py_capabilities, METH_NOARGS, capabilities_doc},
    {"tensorflow_hash", krs_py_tensorflow_hash, METH_O, tensorflow_hash_doc},
    {"collapse", krs_py_collapse, METH_NOARGS, collapse_doc},
    {"serve", krs_py_serve, METH_VARARGS, serve_doc},
    {"listen", krs_py_listen, METH_NOARGS, listen_doc},
    {"connect", krs_py_connect, METH_O, connect_doc},
    {"send", krs_py_send, METH_VARARGS, send_doc},
    {"receive", krs_py_receive, METH_VARARGS, receive_doc},
    {"protocol", krs_py_protocol, METH_NOARGS, protocol_doc},
    {"set_own_path", set_own_path, METH_O, set_own_path_doc},
    {NULL, NULL, 0, NULL},
};

static int take_from_gc(krs_state *state) {
    PyObject *gc = PyImport_ImportModule("gc");
    if (gc == NULL)
        return -1;
    state->gc_collect = PyObject_GetAttrString(gc, "collect");
    Py_DECREF(gc);
    return state->gc_collect == NULL ? -1 : 0;
}

static int add_type(PyObject *module, PyType_Spec *spec) {
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    if (type == NULL)
        return -1;
    const int added = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return added;
}

static int module_exec(PyObject *module) {
    krs_state *state = krs_state_of(module);
    if (take_from_gc(state) < 0 || krs_attributes_test() < 0)
        return -1;
    state->sizeof_name = PyUnicode_InternFromString("__sizeof__");
    state->local_mark = PyUnicode_FromString(".<locals>.");
    state->module_name = PyUnicode_InternFromString("__module__");
    state->own_path = PyUnicode_FromString("\x01"); /* no file is under it */
    PyObject *owned = PyType_FromModuleAndSpec(module, &krs_owned_spec, NULL);
    state->owned_type = (PyTypeObject *)owned;
    if (state->sizeof_name == NULL || state->local_mark == NULL ||
        state->module_name == NULL || state->own_path == NULL || owned == NULL)
        return -1;
    if (PyModule_AddType(module, state->owned_type) < 0)
        return -1;
    if (add_type(module, &krs_mapping_spec) < 0 ||
        add_type(module, &krs_listener_spec) < 0)
        return -1;
    return PyModule_AddStringConstant(module, "version", KRS_VERSION);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg) {
    krs_state *state = krs_state_of(module);
    Py_VISIT(state->owned_type);
    Py_VISIT(state->gc_collect);
    Py_VISIT(state->rules.array_type);
    return 0;
}

static int module_clear(PyObject *module) {
    krs_state *state = krs_state_of(module);
    Py_CLEAR(state->owned_type);
    Py_CLEAR(state->gc_collect);
    Py_CLEAR(state->sizeof_name);
    Py_CLEAR(state->local_mark);
    Py_CLEAR(state->module_name);
    Py_CLEAR(state->own_path);
    Py_CLEAR(state->rules.array_type);
    return 0;
}

static void module_free(void *module) {
    module_clear(module);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_USED},
#endif
    {0, NULL},
};

PyModuleDef krs_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "keraser._core",
    .m_doc = "The heap of this interpreter, walked and freed in C.",
    .m_size = sizeof(krs_state),
    .m_methods = methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__core(void) {
    return PyModuleDef_Init(&krs_module);
}
