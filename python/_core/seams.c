/* seams(): which way each version-dependent part goes on this Python. */
#include "attribute_layout.h"
#include "enumerate.h"
#include "frames.h"
#include "state.h"

PyObject *krs_py_seams(PyObject *module, PyObject *unused) {
    (void)unused;
    return Py_BuildValue(
        "{sssOsOsOsO}", "enumerate", krs_enumeration_name(krs_enumerate_choose()),
        "frames", krs_frames_readable() ? Py_True : Py_False, "caller_keeps_arguments",
        krs_frames_caller_keeps_arguments() ? Py_True : Py_False, "attributes",
        krs_attributes_known() ? Py_True : Py_False, "arrays",
        krs_state_of(module)->rules.array_type ? Py_True : Py_False);
}
