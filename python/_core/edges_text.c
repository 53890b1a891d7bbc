/* Text of a dict's key. Only objects of exactly the plain built-in types are asked for
 * their repr, whose code is C; of anything else the type is named. */
#include <string.h>

#include "edges_search.h"

enum { TEXT_LENGTH = 60, ELLIPSIS = 0x2026 };

typedef struct {
    Py_UCS4 text[TEXT_LENGTH];
    Py_ssize_t length;
    int is_cut;
} krs_text;

const char *krs_type_name(const PyTypeObject *type) {
    const char *dot = strrchr(type->tp_name, '.');
    return dot == NULL ? type->tp_name : dot + 1;
}

static void text_add(krs_text *text, Py_UCS4 character) {
    if (text->length == TEXT_LENGTH)
        text->is_cut = 1;
    else
        text->text[text->length++] = character;
}

/* Adds a str that the caller gives away; NULL for one that could not be made. */
static int text_add_str(krs_text *text, PyObject *str) {
    if (str == NULL)
        return -1;
    for (Py_ssize_t i = 0; i < PyUnicode_GET_LENGTH(str) && !text->is_cut; i++)
        text_add(text, PyUnicode_READ_CHAR(str, i));
    Py_DECREF(str);
    return 0;
}

/* Adds the repr of what the caller gives away. */
static int text_add_repr(krs_text *text, PyObject *object) {
    if (object == NULL)
        return -1;
    PyObject *repr = PyObject_Repr(object);
    Py_DECREF(object);
    return text_add_str(text, repr);
}

static int text_add_type(krs_text *text, PyObject *object) {
    const char *name = krs_type_name(Py_TYPE(object));
    text_add(text, '<');
    if (text_add_str(
            text, PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "replace")) < 0)
        return -1;
    text_add(text, '>');
    return 0;
}

/* An int of many digits has no repr: Python refuses to make one. */
static int is_short_int(PyObject *object) {
    int overflow = 0;
    if (!PyLong_CheckExact(object))
        return 0;
    PyLong_AsLongLongAndOverflow(object, &overflow);
    return overflow == 0;
}

static int text_add_key(krs_text *text, PyObject *key);

/* Each level adds a character, so the length bounds the depth. */
static int text_add_tuple(krs_text *text, PyObject *tuple) {
    text_add(text, '(');
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple) && !text->is_cut; i++) {
        if (i > 0) {
            text_add(text, ',');
            text_add(text, ' ');
        }
        if (text_add_key(text, PyTuple_GET_ITEM(tuple, i)) < 0)
            return -1;
    }
    if (PyTuple_GET_SIZE(tuple) == 1)
        text_add(text, ',');
    text_add(text, ')');
    return 0;
}

static int text_add_key(krs_text *text, PyObject *key) {
    if (text->is_cut)
        return 0;
    if (key == NULL) {
        text_add(text, '?'); /* a tuple in the making */
        return 0;
    }
    if (PyTuple_CheckExact(key))
        return text_add_tuple(text, key);
    if (key == Py_None || PyBool_Check(key) || PyFloat_CheckExact(key) ||
        is_short_int(key))
        return text_add_repr(text, Py_NewRef(key));
    if (PyUnicode_CheckExact(key))
        return text_add_repr(text, PyUnicode_Substring(key, 0, TEXT_LENGTH));
    if (PyBytes_CheckExact(key))
        return text_add_repr(text, PyBytes_FromStringAndSize(
                                       PyBytes_AS_STRING(key),
                                       Py_MIN(PyBytes_GET_SIZE(key), TEXT_LENGTH)));
    return text_add_type(text, key);
}

PyObject *krs_key_text(PyObject *key) {
    krs_text text = {.length = 0};
    if (text_add_key(&text, key) < 0)
        return NULL;
    if (text.is_cut)
        text.text[TEXT_LENGTH - 1] = ELLIPSIS;
    return PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, text.text, text.length);
}
