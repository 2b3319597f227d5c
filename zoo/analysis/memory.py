"""Estimates the memory of a model by arithmetic on its graph, under the assumptions listed here and in layer_memory.py.

A training step holds the parameters, their gradients, the optimizer's slots and, for each image, the activations saved
by the forward pass for the backward pass and the temporary tensors of either. Inference holds the parameters and, for
each image, the outputs that a later layer still reads. The assumptions follow TensorFlow's behavior on the CPU:

- A layer saves what zoo.analysis.layer_memory says; a tensor that two layers save is counted once.
- Elementwise operations work in place if no other layer reads or saves their input; flattening copies nothing.
- The optimizer's update allocates two values per parameter; a weight exists three times while it is initialized.
- Activations take a fifth more than that, because of allocator overhead.
- The memory of the backend itself is not counted. benchmarks/memory.csv compares estimates with measured peaks.

Sizes are in bytes; those of activations are per image.
"""

import math
from dataclasses import dataclass

import keras

from zoo.analysis.layer_memory import compute_output_bytes, get_itemsize, get_layer_memory

# values that the optimizer stores per trainable parameter; SGD with momentum, RMSprop without, as in the recipes
OPTIMIZER_SLOTS = {"sgd": 1, "nesterov": 1, "rmsprop": 1, "adam": 2, "adamw": 2, "adadelta": 2}

UPDATE_BUFFERS = 2  # values per trainable parameter during the optimizer's update
ALLOCATOR_OVERHEAD = 1.2  # factor on the bytes of activations: measured with benchmarks/memory.py, not derived
INIT_COPIES = 2  # extra values per value of a weight during its initialization


@dataclass(frozen=True)
class MemoryEstimate:
    """Sizes in bytes; the last three, of activations, are per image and without the allocator overhead."""

    parameters: int
    trainable_parameters: int  # part of `parameters`
    largest_weight: int  # the largest of all weights
    saved_activations: int  # saved by the forward pass for the backward pass, including the image
    training_peak: int  # peak during a training step
    inference_peak: int  # peak during inference, without a backward pass

    def estimate_training(self, batch_size, optimizer="sgd"):
        """Return the bytes of a training step with `batch_size` images; `optimizer` is a key of OPTIMIZER_SLOTS."""
        return self._compute_fixed_bytes(optimizer) + _add_overhead(batch_size * self.training_peak)

    def estimate_inference(self, batch_size):
        """Return the bytes of inference with `batch_size` images, including the initialization of a new model."""
        return self.parameters + max(INIT_COPIES * self.largest_weight, _add_overhead(batch_size * self.inference_peak))

    def compute_max_training_batch(self, memory_limit, optimizer="sgd"):
        """Return the largest batch size whose training step fits in `memory_limit` bytes; 0 if none does."""
        return _compute_max_batch_size(memory_limit - self._compute_fixed_bytes(optimizer), self.training_peak)

    def compute_max_inference_batch(self, memory_limit):
        """Return the largest batch size whose inference fits in `memory_limit` bytes; 0 if none does."""
        free = memory_limit - self.parameters
        return _compute_max_batch_size(free, self.inference_peak) if free >= INIT_COPIES * self.largest_weight else 0

    def _compute_fixed_bytes(self, optimizer):
        return self.parameters + (1 + OPTIMIZER_SLOTS[optimizer]
                                  + UPDATE_BUFFERS) * self.trainable_parameters  # 1: the gradient


def _add_overhead(size):
    return math.ceil(size * ALLOCATOR_OVERHEAD)


def _compute_max_batch_size(free_bytes, bytes_per_image):
    """Return the number of images whose activations fit in `free_bytes`."""
    return max(0, int(free_bytes / ALLOCATOR_OVERHEAD) // bytes_per_image)


def estimate_memory(calls):
    """Return the MemoryEstimate of the model with the calls of `graph.get_layer_calls`.

    None if a shape is not fixed, if a tensor holds strings, or if the model contains another model.
    """
    if any(None in call.shape or call.dtype == "string" or isinstance(call.layer, keras.Model)
           for call in calls.values()):
        return None
    weights = {id(weight): weight for call in calls.values() if call.layer for weight in call.layer.weights}.values()
    tape = _MemoryTape(calls)
    return MemoryEstimate(sum(map(_compute_weight_bytes, weights)),
                          sum(_compute_weight_bytes(weight) for weight in weights if weight.trainable),
                          max(map(_compute_weight_bytes, weights), default=0),
                          sum(tape.sizes[key] for key in tape.all_saved_tensors), tape.compute_training_peak(),
                          tape.compute_inference_peak())


def _compute_weight_bytes(variable):
    return math.prod(variable.shape) * get_itemsize(variable.dtype)


class _MemoryTape:
    """Tensor liveness over the forward and backward pass. A tensor has the key of the call that made it."""

    def __init__(self, calls):
        self.calls, self.layer_memory = calls, {key: get_layer_memory(call) for key, call in calls.items()}
        self.sizes = {key: compute_output_bytes(call) for key, call in calls.items()}
        self.requires_gradient = {}  # whether the gradient with respect to the output is computed
        for key, call in calls.items():
            self.requires_gradient[key] = bool(call.layer and call.layer.trainable_weights) or any(
                self.requires_gradient[source] for source in call.input_calls)
        input_keys = {source for call in calls.values() for source in call.input_calls}
        self.inputs = {key for key, call in calls.items() if not call.input_calls}
        self.outputs = {key for key in calls if key not in input_keys}
        self.roots = self._find_roots(lambda layer_memory: layer_memory.is_view)
        self.saved_tensors = {key: self._find_saved_tensors(key) for key in calls}
        self.all_saved_tensors = self.inputs.union(*self.saved_tensors.values())

    def _find_roots(self, is_view):
        """Return {call: the tensor that holds its output}, following views."""
        roots = {}
        for key, call in self.calls.items():
            roots[key] = roots[call.input_calls[0]] if is_view(self.layer_memory[key]) and call.input_calls else key
        return roots

    def _find_saved_tensors(self, node):
        """Return the tensors that the backward pass of a call reads."""
        call, layer_memory = self.calls[node], self.layer_memory[node]
        saved = set()
        if self.requires_gradient[node]:
            if "i" in layer_memory.saves:
                saved |= {self.roots[source] for source in call.input_calls}
            if "o" in layer_memory.saves:
                saved.add(self.roots[node])
            if layer_memory.extra_saved_bytes:
                extra_key = (*node, "inside")
                self.sizes[extra_key] = layer_memory.extra_saved_bytes
                saved.add(extra_key)
        return saved

    def _walk_forward(self, roots, persistent):
        """Yield the bytes allocated while each call runs; tensors in `persistent` are never freed."""
        last_uses = {roots[source]: key for key, call in self.calls.items() for source in call.input_calls}
        live = {}
        for key, call in self.calls.items():
            layer_memory, input_tensors = self.layer_memory[key], {roots[source] for source in call.input_calls}
            released = {tensor for tensor in input_tensors - persistent if last_uses[tensor] == key}
            if roots[key] == key:
                if layer_memory.is_in_place and roots[call.input_calls[0]] in released:
                    live.pop(roots[call.input_calls[0]])
                live[key] = self.sizes[key]
            live |= {tensor: self.sizes[tensor] for tensor in self.saved_tensors[key] & persistent}
            yield sum(live.values()) + layer_memory.workspace_bytes
            for tensor in released:
                live.pop(tensor, None)

    def compute_inference_peak(self):
        """Return the peak bytes of the forward pass; the images and the outputs are never freed."""
        roots = self._find_roots(lambda layer_memory: layer_memory.is_view_in_inference)
        return max(self._walk_forward(roots, {roots[key] for key in (*self.inputs, *self.outputs)}))

    def compute_training_peak(self):
        """Return the peak bytes of a training step, over the forward and backward pass."""
        persistent = self.all_saved_tensors | {self.roots[key] for key in self.outputs}
        return max([*self._walk_forward(self.roots, persistent), *self._walk_backward(persistent)])

    def _walk_backward(self, live):
        """Yield the bytes allocated while the gradients of each call are computed; `live` exist at its start."""
        live = {tensor: self.sizes[tensor] for tensor in live}
        last_readers = {}  # the call whose gradient computation is the last to read a tensor
        for key in self.calls:
            for tensor in self.saved_tensors[key]:
                last_readers.setdefault(tensor, key)
        gradients = {self.roots[key]: self.sizes[self.roots[key]] for key in self.outputs}
        for key, call in reversed(self.calls.items()):
            if self.requires_gradient[key] and self.roots[key] == key:
                new_gradients = {self.roots[source] for source in call.input_calls
                                 if self.requires_gradient[source]} - {*gradients}
                if self.layer_memory[key].is_in_place and any(self.sizes[tensor] == self.sizes[key]
                                                              for tensor in new_gradients):
                    gradients.pop(key)
                gradients |= {tensor: self.sizes[tensor] for tensor in new_gradients}
                yield sum(live.values()) + sum(gradients.values()) + self.layer_memory[key].workspace_bytes
                gradients.pop(key, None)
            for tensor in [tensor for tensor in live if last_readers.get(tensor) == key and tensor not in self.inputs]:
                live.pop(tensor)
