namespace DbRetry.EFCore.Tests.Support.Cluster;

/// <summary>What a node's settings file says.</summary>
internal static class NodeSettings
{
    public static string Text(LocalClusterOptions options, int node, IReadOnlyList<int> ports, string nodeFolder)
    {
        var hosts = string.Join(',', ports.Select(_ => "127.0.0.1"));
        var settings = new Dictionary<string, string>
        {
            ["listen_addresses"] = "127.0.0.1",
            ["unix_socket_directories"] = "",
            ["port"] = $"{ports[node]}",
            ["max_connections"] = "120",
            ["shared_buffers"] = "16MB",
            ["dynamic_shared_memory_type"] = "mmap", // Leaves nothing behind in /dev/shm after a kill -9.
            ["jit"] = "off",
            ["fsync"] = "off", // A killed process loses nothing that the kernel has; only a dying machine would.
            ["wal_log_hints"] = "on", // For pg_rewind.
            ["wal_keep_size"] = "256MB",
            ["max_wal_size"] = "256MB",
            ["wal_retrieve_retry_interval"] = "100ms",
            ["timezone"] = "UTC",
            ["lc_messages"] = "C",
            // With all nodes in it a standby finds the new primary by itself.
            ["primary_conninfo"] = $"host={hosts} port={string.Join(',', ports)} user=postgres application_name=n{node} "
                + "target_session_attrs=primary connect_timeout=2",
        };
        if (options.Synchronous)
        {
            settings["synchronous_standby_names"] = $"ANY 1 ({string.Join(',', ports.Select((_, i) => $"n{i}"))})";
        }
        if (options.AccessRules.Count > 0)
        {
            settings["hba_file"] = Path.Combine(nodeFolder, "pg_hba.conf");
        }
        foreach (var (name, value) in options.Settings)
        {
            settings[name] = value;
        }
        return string.Concat(settings.Select(setting => $"{setting.Key} = '{setting.Value.Replace("'", "''")}'\n"));
    }

    public static string AccessText(LocalClusterOptions options) => string.Join('\n',
    [
        .. options.AccessRules,
        "host all all 127.0.0.1/32 trust",
        "host replication all 127.0.0.1/32 trust",
        "",
    ]);
}
