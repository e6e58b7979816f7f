"""Networks that leave home: the field's own formats, each through the field's own library.

| file | what it holds |
| --- | --- |
| `onnx_file.py` | the U as an ONNX graph, for whatever runs ONNX |
| `torch_names.py` | which parameter is called what in public PyTorch implementations |
| `torch_file.py` | state dictionaries: `.pt` by PyTorch, `.safetensors` |
| `bioimageio_package.py` | a bioimage.io model, for deepImageJ, ilastik and napari |
| `ome_zarr.py` | OME-Zarr volumes: axes, chunks |
| `volume.py` | prediction of volumes that fit no memory |
| `_libraries.py` | optional libraries, named when missing |

Nothing of it is imported by a training or a prediction; the libraries come with the extra
`pip install "tinyunet[exchange]"`.
"""
