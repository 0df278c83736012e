//! How long each kind of trouble is borne before a wait ends early: some heal by themselves.

use crate::status::Doom;
use std::time::Duration;

/// How long objects may be in trouble. A name of an image that is no name never becomes one: it is
/// not borne at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Graces {
    /// An image that cannot be pulled.
    pub image_pull: Duration,
    /// A container that cannot be made, since what it refers to is missing.
    pub container_config: Duration,
    /// A container that crashes, as long as it did so only a few times.
    pub crash_loop: Duration,
    /// From how many restarts on a crash is not borne any longer.
    pub crashes: u32,
    /// A pod that no node takes: an autoscaler may bring one.
    pub unschedulable: Duration,
    /// Pods that a quota or an admission rule refuses: old ones may make room.
    pub pods_refused: Duration,
    /// A claim that no volume can be had for.
    pub claim_pending: Duration,
    /// An object that somebody stopped.
    pub suspended: Duration,
}

impl Default for Graces {
    fn default() -> Self {
        Self {
            image_pull: Duration::from_secs(12),
            container_config: Duration::from_secs(20),
            crash_loop: Duration::from_secs(30),
            crashes: 3,
            unschedulable: Duration::from_secs(5 * 60),
            pods_refused: Duration::from_secs(30),
            claim_pending: Duration::from_secs(60),
            suspended: Duration::from_secs(60),
        }
    }
}

impl Graces {
    /// How long this trouble is borne.
    #[must_use]
    pub fn of(&self, doom: Doom) -> Duration {
        match doom {
            Doom::InvalidImageName => Duration::ZERO,
            Doom::ImagePull => self.image_pull,
            Doom::ContainerConfig => self.container_config,
            Doom::CrashLoop { restarts } if restarts >= self.crashes => Duration::ZERO,
            Doom::CrashLoop { .. } => self.crash_loop,
            Doom::Unschedulable => self.unschedulable,
            Doom::PodsRefused => self.pods_refused,
            Doom::ClaimPending => self.claim_pending,
            Doom::Suspended => self.suspended,
            Doom::Lasts { seconds } => Duration::from_secs(seconds),
        }
    }
}
