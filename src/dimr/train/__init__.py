"""Training: `loop.py` trains a task, `stage1.py` and `stage2.py` are the tasks.

`recipes.py` names complete configurations, `run.py` says where one reads and writes, `losses.py`
holds Eq. 3-5 of the paper, `checkpoint.py` the files. `dimr train RECIPE` is the entry point.
"""
