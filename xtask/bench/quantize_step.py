"""Turns a step.onnx into int8 for ONNX Runtime: quantize and dequantize nodes around every operation, calibrated on a run.

    quantize_step.py STEP.onnx STEP-QDQ.onnx

Activations are unsigned and weights signed with a scale for each output channel, which ONNX Runtime's documentation
recommends for x86-64 with VNNI. States go in and out as f32, as in the model that is read.
"""

import sys

import numpy
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

STEPS = 8


class Run(CalibrationDataReader):
    """What the model is given at each step of a run on one random frame."""

    def __init__(self, path):
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        shapes = {value.name: [size if isinstance(size, int) else 1 for size in value.shape] for value in session.get_inputs()}
        outputs = [value.name for value in session.get_outputs()]
        given = {name: numpy.zeros(shape, numpy.float32) for name, shape in shapes.items()}
        given["image"] = numpy.random.default_rng(1).uniform(-2, 2, shapes["image"]).astype(numpy.float32)
        inputs = []
        for _ in range(STEPS):
            inputs.append(dict(given))
            values = dict(zip(outputs, session.run(outputs, given)))
            for name in given:
                if name.startswith("past_"):
                    given[name] = values["present_" + name.removeprefix("past_")]
        self.inputs = iter(inputs)

    def get_next(self):
        return next(self.inputs, None)


def main(source, target):
    prepared = target + ".prepared"
    quant_pre_process(source, prepared)
    quantize_static(
        prepared,
        target,
        Run(prepared),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )


main(*sys.argv[1:])
