/* state.h - what the module keeps: no C globals but the module definition. */
#ifndef KRS_PY_STATE_H
#define KRS_PY_STATE_H

#include "frames.h"
#include "python.h"
#include "references.h"

typedef struct {
    PyTypeObject *owned_type;  /* keraser._core.Owned */
    PyObject *gc_collect;      /* gc.collect, as it was when keraser was imported */
    PyObject *sizeof_name;     /* "__sizeof__", interned */
    PyObject *local_mark;      /* ".<locals>." */
    PyObject *module_name;     /* "__module__", interned */
    PyObject *own_path;        /* str: folder of the package, with a slash at its end */
    krs_reference_rules rules; /* what learn_arrays() found */
} krs_state;

extern PyModuleDef krs_module;

static inline krs_state *krs_state_of(PyObject *module) {
    return PyModule_GetState(module);
}

/* Sets the Python exception that KRS_STATUS_MAP names for `status`; returns NULL. */
PyObject *krs_raise(krs_status status, const char *what);

/* The functions of the module, one file a topic. */
PyObject *krs_py_process(PyObject *module, PyObject *unused);      /* figures.c */
PyObject *krs_py_heap(PyObject *module, PyObject *unused);         /* figures.c */
PyObject *krs_py_variables(PyObject *module, PyObject *objects);   /* variables.c */
PyObject *krs_py_instances(PyObject *module, PyObject *arguments); /* instances.c */
PyObject *krs_py_count(PyObject *module, PyObject *types);         /* count.c */
PyObject *krs_py_count_types(PyObject *module, PyObject *unused);  /* count_types.c */
PyObject *krs_py_stack(PyObject *module, PyObject *arguments);     /* stack.c */
PyObject *krs_py_survivors(PyObject *module, PyObject *ids);       /* survivors.c */
PyObject *krs_py_ask(PyObject *module, PyObject *arguments,
                     PyObject *keywords);                            /* ask.c */
PyObject *krs_py_seams(PyObject *module, PyObject *unused);          /* seams.c */
PyObject *krs_py_collector_idle(PyObject *module, PyObject *unused); /* collect.c */
PyObject *krs_py_edge(PyObject *module, PyObject *arguments);        /* edges.c */
PyObject *krs_py_words(PyObject *module, PyObject *object);          /* words.c */
PyObject *krs_py_label(PyObject *module, PyObject *object);          /* edges_label.c */
PyObject *krs_py_learn_arrays(PyObject *module, PyObject *arguments); /* references.c */

PyObject *krs_py_static_holders(PyObject *module, PyObject *address); /* statics.c */
PyObject *krs_py_trim(PyObject *module, PyObject *unused);            /* trim.c */
PyObject *krs_py_gpus(PyObject *module, PyObject *unused);            /* trim_gpu.c */
PyObject *krs_py_arm_gpu(PyObject *module, PyObject *unused);         /* trim_gpu.c */
PyObject *krs_py_gpu_map(PyObject *module, PyObject *unused);         /* gpu_map.c */
PyObject *krs_py_gpu_armed(PyObject *module, PyObject *unused);       /* trim_gpu.c */
PyObject *krs_py_gpu_refusal(PyObject *module, PyObject *unused);     /* trim_gpu.c */
PyObject *krs_py_region_pools(PyObject *module, PyObject *unused);    /* trim_gpu.c */
PyObject *krs_py_copy(PyObject *module, PyObject *args, PyObject *kwargs); /* copy.c */
PyObject *krs_py_address(PyObject *module, PyObject *buffer);
PyObject *krs_py_capabilities(PyObject *module, PyObject *unused);  /* trim.c */
PyObject *krs_py_tensorflow_hash(PyObject *module, PyObject *name); /* trim.c */

PyObject *krs_py_collapse(PyObject *module, PyObject *unused);   /* serve.c */
PyObject *krs_py_serve(PyObject *module, PyObject *arguments);   /* serve.c */
PyObject *krs_py_listen(PyObject *module, PyObject *unused);     /* wire.c */
PyObject *krs_py_connect(PyObject *module, PyObject *name);      /* wire.c */
PyObject *krs_py_send(PyObject *module, PyObject *arguments);    /* wire.c */
PyObject *krs_py_receive(PyObject *module, PyObject *arguments); /* wire.c */
PyObject *krs_py_protocol(PyObject *module, PyObject *unused);   /* wire.c */

/* (thread, depth, file, function, line, name, is argument, in a cell) of a variable. */
PyObject *krs_describe_variable(const krs_variable *variable); /* variables.c */

extern PyType_Spec krs_owned_spec;    /* owned.c */
extern PyType_Spec krs_mapping_spec;  /* mapping.c */
extern PyType_Spec krs_listener_spec; /* listener.c */

#endif
