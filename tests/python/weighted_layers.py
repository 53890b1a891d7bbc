"""Every layer class of keras.layers that has weights, with an input that it takes."""

import inspect
from collections import namedtuple

import keras
import numpy as np
from keras import layers

LAYER = layers.Layer.__module__

#: make: the layer; shapes: of its inputs, without the batch; whole: inputs are numbers
#: of rows, as an embedding wants them.
Case = namedtuple("Case", "make shapes whole", defaults=(False,))

ROWS = 2
_LINE, _IMAGE, _VOLUME = (6, 4), (8, 8, 3), (4, 6, 6, 2)
_FRAMES = (3, 6, 6, 2)


def _cell(kind):
    return Case(lambda: layers.RNN(kind(4)), [_LINE])


CASES = {
    "AdditiveAttention": Case(layers.AdditiveAttention, [_LINE, _LINE]),
    "Attention": Case(lambda: layers.Attention(True, "concat"), [_LINE, _LINE]),
    "BatchNormalization": Case(layers.BatchNormalization, [_LINE]),
    "Bidirectional": Case(lambda: layers.Bidirectional(layers.LSTM(3)), [_LINE]),
    "Conv1D": Case(lambda: layers.Conv1D(3, 2), [_LINE]),
    "Conv1DTranspose": Case(lambda: layers.Conv1DTranspose(3, 2), [_LINE]),
    "Conv2D": Case(lambda: layers.Conv2D(3, 2), [_IMAGE]),
    "Conv2DTranspose": Case(lambda: layers.Conv2DTranspose(3, 2), [_IMAGE]),
    "Conv3D": Case(lambda: layers.Conv3D(3, 2), [_VOLUME]),
    "Conv3DTranspose": Case(lambda: layers.Conv3DTranspose(3, 2), [_VOLUME]),
    "ConvLSTM1D": Case(lambda: layers.ConvLSTM1D(3, 2), [(3, 6, 2)]),
    "ConvLSTM2D": Case(lambda: layers.ConvLSTM2D(3, 2), [_FRAMES]),
    "ConvLSTM3D": Case(lambda: layers.ConvLSTM3D(2, 2), [(2, 4, 4, 4, 1)]),
    "Dense": Case(lambda: layers.Dense(3), [(4,)]),
    "DepthwiseConv1D": Case(lambda: layers.DepthwiseConv1D(2), [_LINE]),
    "DepthwiseConv2D": Case(lambda: layers.DepthwiseConv2D(2), [_IMAGE]),
    "EinsumDense": Case(lambda: layers.EinsumDense("abc,cd->abd", (6, 3)), [_LINE]),
    "Embedding": Case(lambda: layers.Embedding(9, 4), [(5,)], whole=True),
    "GRU": Case(lambda: layers.GRU(4), [_LINE]),
    "GRUCell": _cell(layers.GRUCell),
    "GroupNormalization": Case(lambda: layers.GroupNormalization(2), [_LINE]),
    "GroupQueryAttention": Case(
        lambda: layers.GroupQueryAttention(4, 4, 2), [_LINE, _LINE]
    ),
    "LSTM": Case(lambda: layers.LSTM(4), [_LINE]),
    "LSTMCell": _cell(layers.LSTMCell),
    "LayerNormalization": Case(layers.LayerNormalization, [_LINE]),
    "MultiHeadAttention": Case(lambda: layers.MultiHeadAttention(2, 3), [_LINE, _LINE]),
    "Normalization": Case(lambda: _adapted(layers.Normalization()), [(4,)]),
    "PReLU": Case(layers.PReLU, [_LINE]),
    "RMSNormalization": Case(layers.RMSNormalization, [_LINE]),
    "RNN": _cell(layers.SimpleRNNCell),
    "ReversibleEmbedding": Case(
        lambda: layers.ReversibleEmbedding(9, 4), [(5,)], whole=True
    ),
    "STFTSpectrogram": Case(
        lambda: layers.STFTSpectrogram(
            frame_length=8, frame_step=4, fft_length=8, expand_dims=True
        ),
        [(32, 1)],
    ),
    "SeparableConv1D": Case(lambda: layers.SeparableConv1D(3, 2), [_LINE]),
    "SeparableConv2D": Case(lambda: layers.SeparableConv2D(3, 2), [_IMAGE]),
    "SimpleRNN": Case(lambda: layers.SimpleRNN(4), [_LINE]),
    "SimpleRNNCell": _cell(layers.SimpleRNNCell),
    "SpectralNormalization": Case(
        lambda: layers.SpectralNormalization(layers.Dense(3)), [(4,)]
    ),
    "StackedRNNCells": Case(
        lambda: layers.RNN([layers.GRUCell(3), layers.LSTMCell(4)]), [_LINE]
    ),
    "TimeDistributed": Case(lambda: layers.TimeDistributed(layers.Dense(3)), [_LINE]),
}
CASES = {name: case for name, case in CASES.items() if hasattr(layers, name)}


def _adapted(layer):
    layer.adapt(np.arange(24, dtype="float32").reshape(6, 4))
    return layer


def inputs_of(case):
    """Arrays that the layer of a case takes."""
    shapes = [(ROWS, *shape) for shape in case.shapes]
    if case.whole:
        return [np.arange(np.prod(shape)).reshape(shape) % 4 for shape in shapes]
    return [np.linspace(0, 1, np.prod(s), dtype="float32").reshape(s) for s in shapes]


def make_model(case, name, **compile_arguments):
    """The layer of a case in a functional model, and its inputs as arrays."""
    arrays = inputs_of(case)
    kinds = ["int32" if case.whole else "float32"] * len(arrays)
    inputs = [
        keras.Input(shape, dtype=kind)
        for shape, kind in zip(case.shapes, kinds, strict=True)
    ]
    layer = case.make()
    apart = isinstance(layer, (layers.MultiHeadAttention, layers.GroupQueryAttention))
    alone = len(inputs) == 1
    outputs = layer(*inputs) if apart or alone else layer(inputs)
    model = keras.Model(inputs, outputs, name=name)
    model.compile("adam", "mse", **compile_arguments)
    return model, arrays


def with_weights():
    """Names of the layer classes that make weights, themselves or by a base class."""
    found = set()
    for name, thing in vars(layers).items():
        if isinstance(thing, type) and issubclass(thing, layers.Layer):
            bases = [kind for kind in thing.__mro__ if kind.__module__ != LAYER]
            if any(_makes_weights(kind) for kind in bases):
                found.add(name)
    return found


def _makes_weights(kind):
    if not kind.__module__.startswith("keras.src.layers"):
        return False
    return "self.add_weight(" in inspect.getsource(kind)


def covered():
    """Names of the classes of all layers in the cases, other names of theirs too."""
    kinds = set()
    for case in CASES.values():
        layer = case.make()
        cells = getattr(layer, "cell", None)
        kinds |= {type(layer), type(cells)}
        kinds |= {type(cell) for cell in getattr(cells, "cells", ())}
    return {
        name
        for name, kind in vars(layers).items()
        if isinstance(kind, type) and kind in kinds
    }
