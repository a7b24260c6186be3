package main

import "github.com/spf13/cobra"

func newServerCommand() *cobra.Command { return &cobra.Command{Use: "server"} }

func newAdminCommand() *cobra.Command { return &cobra.Command{Use: "admin"} }
