"""The models that the tests serve: the demo's three, and some that nobody should serve. Made once, kept in the cache."""
import os
import pathlib
import shutil
import subprocess
import sys

from kube import CACHE, ROOT

MAKER = ROOT / "e2e/demo/models.py"
HUNGRY = """
import sys, tensorflow as tf
class Hungry(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 28, 28, 1], tf.float32, name="images")])
    def serve(self, images):
        # 4 GiB for one image, in use until its sum is known.
        much = tf.random.stateless_uniform([tf.shape(images)[0], 2 ** 30], [1, 2])
        return {"classes": tf.cast(tf.reduce_sum(tf.sort(much), axis=1), tf.int64)}
model = Hungry()
tf.saved_model.save(model, sys.argv[1], signatures={"serving_default": model.serve})
"""


def good_models(folder):
    """folder/{1,2,3} and folder/requests.jsonl, as the demo has them."""
    subprocess.run([sys.executable, MAKER, folder], check=True, capture_output=True)
    return pathlib.Path(folder)


def hungry_model():
    """Folder of a model that takes 4 GiB for each image: in a pod with less, the kernel kills it while it warms up."""
    folder = CACHE / "demo-models" / "hungry-1"
    if not folder.exists():
        work = folder.with_name(f"hungry.{os.getpid()}")
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
        subprocess.run([sys.executable, "-c", HUNGRY, work], check=True, capture_output=True, env=environment)
        work.rename(folder)
    return folder


def without_serve_tag(good, folder):
    """A copy of a good model whose only graph is tagged for training."""
    shutil.copytree(good, folder)
    path = folder / "saved_model.pb"
    data = path.read_bytes()
    tag = b"\x22\x05serve"   # MetaInfoDef.tags = "serve"
    assert data.count(tag) == 1
    path.write_bytes(data.replace(tag, b"\x22\x05train"))
    return folder


def with_torn_graph(good, folder):
    """A copy whose graph ends in the middle, as after an interrupted upload."""
    shutil.copytree(good, folder)
    path = folder / "saved_model.pb"
    path.write_bytes(path.read_bytes()[:-1000])
    return folder


def with_torn_weights(good, folder):
    """A copy whose weights are shorter than their index says."""
    shutil.copytree(good, folder)
    path = next((folder / "variables").glob("variables.data*"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return folder
