using System.Text.Json.Serialization;
using Microsoft.EntityFrameworkCore;

namespace DbRetry.EFCore.Tests.Buffering;

/// <summary>Every kind of value that EF reads in a way of its own, with and without NULL.</summary>
internal sealed class SampleContext(DbContextOptions<SampleContext> options) : DbContext(options)
{
    internal const string Schema =
        """
        create table samples(
            id int primary key, "Short" int2 not null, "Long" int8, "Bool" bool not null, "MaybeBool" bool, "Float" float4 not null, "Double" float8,
            "Decimal" numeric not null, "Guid" uuid not null, "MaybeGuid" uuid, "At" timestamptz not null, "Offset" timestamptz, "Day" date, "Span" interval,
            "Text" text, "Letter" char(1) not null, "Small" int2 not null, "Kind" text not null, "Bytes" bytea, "Numbers" int[] not null, "Xid" xid not null,
            "Detail" jsonb);
        insert into samples
        select i, i, case when i % 2 = 0 then i end, i % 2 = 0, case when i % 3 = 0 then true end, i / 3.0, case when i % 2 = 1 then i / 7.0 end,
            i * 1.25, md5(i::text)::uuid, case when i % 2 = 0 then md5(i::text)::uuid end, '2026-01-01Z'::timestamptz + i * interval '1 h',
            case when i % 2 = 0 then '2026-01-01Z'::timestamptz end, case when i % 2 = 0 then date '2026-01-01' + i end,
            case when i % 2 = 1 then i * interval '1 s' end, case when i <> 2 then repeat('text ', i) end, chr(64 + i), i, case when i % 2 = 0 then 'Even' else 'Odd' end,
            case when i <> 3 then decode(repeat('ab', i), 'hex') end, array[i, i * 2], (i + 10)::text::xid,
            case when i <> 4 then jsonb_build_object('Word', 'word ' || i, 'Count', i) end
        from generate_series(1, 5) i;
        create table parts(id int primary key, sample_id int not null, name text);
        insert into parts select i, 1 + i % 3, case when i <> 2 then 'part ' || i end from generate_series(1, 4) i;
        """;

    public enum Parity
    {
        Even,
        Odd,
    }

    public DbSet<Sample> Samples => Set<Sample>();

    public DbSet<Part> Parts => Set<Part>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Sample>(sample =>
        {
            sample.ToTable("samples");
            sample.Property(s => s.Id).HasColumnName("id").ValueGeneratedNever();
            sample.Property(s => s.Kind).HasConversion<string>();
            sample.Property(s => s.Letter).HasColumnType("character(1)");
            sample.Property(s => s.Xid).HasColumnType("xid");
            sample.OwnsOne(s => s.Detail, detail => detail.ToJson("Detail"));
            sample.HasMany(s => s.Parts).WithOne().HasForeignKey(p => p.SampleId);
        });
        modelBuilder.Entity<Part>(part =>
        {
            part.ToTable("parts");
            part.Property(p => p.Id).ValueGeneratedNever();
        });
        foreach (var property in modelBuilder.Model.FindEntityType(typeof(Part))!.GetProperties())
        {
            property.SetColumnName(property.Name == nameof(Part.SampleId) ? "sample_id" : property.Name.ToLowerInvariant());
        }
    }

    public sealed class Sample
    {
        public int Id { get; set; }

        public short Short { get; set; }

        public long? Long { get; set; }

        public bool Bool { get; set; }

        public bool? MaybeBool { get; set; }

        public float Float { get; set; }

        public double? Double { get; set; }

        public decimal Decimal { get; set; }

        public Guid Guid { get; set; }

        public Guid? MaybeGuid { get; set; }

        public DateTime At { get; set; }

        public DateTimeOffset? Offset { get; set; }

        public DateOnly? Day { get; set; }

        public TimeSpan? Span { get; set; }

        public string? Text { get; set; }

        public char Letter { get; set; }

        public byte Small { get; set; }

        public Parity Kind { get; set; }

        public byte[]? Bytes { get; set; }

        public int[] Numbers { get; set; } = [];

        public uint Xid { get; set; }

        public Detail? Detail { get; set; }

        public List<Part> Parts { get; } = [];
    }

    public sealed class Detail
    {
        public string Word { get; set; } = string.Empty;

        public int Count { get; set; }
    }

    public sealed class Part
    {
        public int Id { get; set; }

        [JsonIgnore]
        public int SampleId { get; set; }

        public string? Name { get; set; }
    }
}
