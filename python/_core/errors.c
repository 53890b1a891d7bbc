#include <errno.h>
#include <string.h>

#include "state.h"

static const char *exception_name(krs_status status) {
    switch (status) {
#define X(name, value, text, exception, exit_status)                                   \
    case KRS_##name:                                                                   \
        return exception;
        KRS_STATUS_MAP(X)
#undef X
    }
    return NULL;
}

/* A new reference to the class that the status list names, or NULL. Its name is
 * interned: CPython's cache of attributes keeps every other str that it is asked for.
 */
static PyObject *exception_class(const char *name) {
    const char *dot = strchr(name, '.');
    PyObject *module = PyImport_ImportModule(dot ? "keraser" : "builtins");
    if (module == NULL)
        return NULL;
    PyObject *attribute = PyUnicode_InternFromString(dot ? dot + 1 : name);
    PyObject *class = attribute == NULL ? NULL : PyObject_GetAttr(module, attribute);
    Py_XDECREF(attribute);
    Py_DECREF(module);
    return class;
}

PyObject *krs_raise(krs_status status, const char *what) {
    if (status == KRS_NOMEM)
        return PyErr_NoMemory();
    if (status == KRS_SYSTEM)
        return PyErr_SetFromErrnoWithFilename(PyExc_OSError, what);
    const char *name = exception_name(status);
    PyObject *class =
        name == NULL ? Py_NewRef(PyExc_SystemError) : exception_class(name);
    if (class != NULL)
        PyErr_Format(class, "%s: %s", what, krs_status_text(status));
    Py_XDECREF(class);
    return NULL;
}
