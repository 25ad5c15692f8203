"""The methods of `Server` and `AsyncServer`: each call of this package, once for both."""

from orthanc_fast.client import arrays, downloads, jobs, modifying, resources, system
from orthanc_fast.client.call import method


class Methods:
    """What is written here as f(...) is `server.f(...)`, or `await server.f(...)`; it raises
    ServerError."""

    patients = method(resources.patients)
    studies = method(resources.studies)
    series = method(resources.series)
    instances = method(resources.instances)
    resource = method(resources.resource)
    members = method(resources.members)
    find = method(resources.find)
    count = method(resources.count)
    lookup = method(resources.lookup)
    identify = method(resources.identify)
    tags = method(resources.tags)
    size = method(resources.size)
    delete = method(resources.delete)
    store = method(resources.store)
    protect = method(resources.protect)

    all_labels = method(resources.all_labels)
    labels = method(resources.labels)
    add_label = method(resources.add_label)
    remove_label = method(resources.remove_label)
    metadata = method(resources.metadata)
    set_metadata = method(resources.set_metadata)
    remove_metadata = method(resources.remove_metadata)

    changes = method(resources.changes)
    all_changes = method(resources.all_changes)

    volume = method(arrays.volume)
    instance = method(arrays.instance)
    geometry = method(arrays.geometry)

    download = method(downloads.download)
    save_array = method(downloads.save_array)
    save_nifti = method(downloads.save_nifti)
    save_archive = method(downloads.save_archive)
    save_file = method(downloads.save_file)
    save_files = method(downloads.save_files)

    anonymize = method(modifying.anonymize)
    anonymize_all = method(modifying.anonymize_all)
    anonymized_file = method(modifying.anonymized_file)
    modify = method(modifying.modify)
    modify_all = method(modifying.modify_all)
    modified_file = method(modifying.modified_file)
    dry_run = method(modifying.dry_run)

    job = method(jobs.job)
    act_on_job = method(jobs.act_on_job)
    forget_job = method(jobs.forget_job)
    follow = method(jobs.follow)
    jobs = method(jobs.jobs)

    content = method(system.content)
    json = method(system.json)
    totals = method(system.totals)
    metrics = method(system.metrics)
    history = method(system.history)
    system = method(system.system)
