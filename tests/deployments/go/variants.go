package main

// A variant changes decisions of the service. The first clause of a fault is its main one.
type variant struct {
	name    string
	clauses []string
	summary string
	change  func(*service)
}
