/** How one kind of real disk is told to stop: everything outstanding and everything later in it fails. */
export interface CutDriver {
  readonly kind: 'scsi' | 'nvme' | 'virtio' | 'device-mapper';
  /**
   * Tells the kernel, in a throw-away process: the kernel may hold it for as long as the disk hangs. Whether the requests really failed
   * is seen by the device's counters, not by this. Repeatable; a disk that is gone is fine.
   */
  cut(): Promise<void>;
  /** The device and what is behind it vanish from the machine; how a person brings it back, one sentence. */
  readonly undo: string;
}

/** What a driver needs to know of a device. All paths are below `sys`, so that each driver can be tried on a made-up tree. */
export interface DeviceInSys {
  /** "sdb", "nvme1n1", "vdb", "dm-3": the whole disk. */
  name: string;
  sys: string;
  /** <sys>/devices/..., where the disk really is. */
  path: string;
}
