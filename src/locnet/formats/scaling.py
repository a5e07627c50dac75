"""Scaling an image into the network's input as ONNX, inside the file: any size in, the same pixels as in training."""

from __future__ import annotations

import onnx
import onnx.parser

from locnet.data.resize import PADDING, ResizeMode

_SQUASH = """
  whole = Constant <value = int64[2] {{{height}, {width}}}> ()
  placement = Constant <value = float[4] {{0, 0, 1, 1}}> ()
  target = Concat <axis = 0> (front, three, whole)
  pixels = Resize {resize} (planes, , , target)
"""

# All four axes are padded, two of them by nothing: onnxruntime (1.32) moves a transposition past a Pad that names its
# axes and forgets them. Sides are worked out in float64, as Python does it: they round to the same whole pixels.
_LETTERBOX = """
  whole = Constant <value = int64[2] {{{height}, {width}}}> ()
  one = Constant <value = int64[1] {{1}}> ()
  two = Constant <value = int64[1] {{2}}> ()
  none = Constant <value = int64[2] {{0, 0}}> ()
  swapped = Constant <value = int64[4] {{1, 0, 3, 2}}> ()
  grey = Constant <value = uint8[1] {{{grey}}}> ()
  nothing = Constant <value = int64[0] {{}}> ()
  color = Reshape (grey, nothing)
  sides = Cast <to = 11> (shape)
  limits = Cast <to = 11> (whole)
  ratios = Div (limits, sides)
  scale = ReduceMin <keepdims = 1> (ratios)
  scaled = Mul (sides, scale)
  rounded = Round (scaled)
  counted = Cast <to = 7> (rounded)
  some = Max (counted, one)
  inner = Min (some, whole)
  target = Concat <axis = 0> (front, three, inner)
  small = Resize {resize} (planes, , , target)
  free = Sub (whole, inner)
  before = Div (free, two)
  after = Sub (free, before)
  pads = Concat <axis = 0> (none, before, none, after)
  pixels = Pad <mode = "constant"> (small, pads, color)
  ends = Add (before, inner)
  edges = Concat <axis = 0> (before, ends)
  edges_float = Cast <to = 1> (edges)
  both = Concat <axis = 0> (whole, whole)
  both_float = Cast <to = 1> (both)
  shares = Div (edges_float, both_float)
  placement = Gather (shares, swapped)
"""

# what ONNX calls Pillow's filter: a triangle as wide as a pixel of the result, its weights outside the image left out
_RESIZE = '<antialias = 1, exclude_outside = 1, mode = "linear", coordinate_transformation_mode = "half_pixel">'


def scaling_model(height: int, width: int, mode: ResizeMode, *, opset: int, ir_version: int) -> onnx.ModelProto:
    """`images` (B, height, width, 3) uint8 to `pixels`, `placement` and `size`, as `Answering` takes them.

    Args:
        height: of the network's input, pixels.
        width: of the network's input, pixels.
        mode: how the images meet it.
        opset: 18 or later, the first that knows antialiasing.
        ir_version: of the file format.
    """
    steps = (_SQUASH if mode == "squash" else _LETTERBOX).format(
        height=height, width=width, grey=PADDING[0], resize=_RESIZE
    )
    return onnx.parser.parse_model(
        f"""<ir_version: {ir_version}, opset_import: ["" : {opset}]>
scaling (uint8[batch, height, width, 3] images)
  => (uint8[batch, 3, {height}, {width}] pixels, float[4] placement, float[2] size)
{{
  shape = Shape <start = 1, end = 3> (images)
  front = Shape <start = 0, end = 1> (images)
  three = Constant <value = int64[1] {{3}}> ()
  size = Cast <to = 1> (shape)
  planes = Transpose <perm = [0, 3, 1, 2]> (images)
{steps}}}"""
    )
