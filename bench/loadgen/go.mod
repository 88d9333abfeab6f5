module moorage/loadgen

go 1.22
