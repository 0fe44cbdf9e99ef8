"""Images of random contrast, shape and resolution, painted on label maps; 2D and 3D in one."""
