"""From signal to stored voxels: receive field, coils, k-space, noise, reconstruction, magnitude."""

from mskseg_phantom.acquisition.scanner import SITES as SITES
from mskseg_phantom.acquisition.scanner import scan as scan
from mskseg_phantom.acquisition.scanner import scan_body as scan_body
