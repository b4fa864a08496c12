-- Absent is false: nothing is left behind that a repository doesn't have.
obj.spec.suspend = nil
return obj
