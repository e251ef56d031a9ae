"""Scoring on many cores or machines: the scorer of one machine as a Ray Data job.

1. ``ray_job`` (the job from start to end), ``blocks`` (what one worker scores at a time)
2. ``shards``: a block into a shard of its own, with its record; ``shard_folder`` (``local_folder``, ``remote_folder``):
   where shards go; ``job_folder``: plan, shards of an earlier job, the last count
3. ``ray_session`` (starts or joins Ray), ``ray_worker`` (the model on a worker), ``job_progress``
"""
